" Vim syntax of policies of cijail, cijail-policy(5). Copy contrib/vim/* to ~/.vim/
if exists('b:current_syntax')
  finish
endif

syntax match cijailWord /\S\+/ contains=cijailMethods,cijailScheme,cijailPort,cijailStar,cijailPrivate
syntax match cijailMethods /\%(^\|\s\)\@<=[A-Z][A-Z,-]*\ze:\%(https\?:\/\/\)/ contained
syntax match cijailScheme /https\?:\/\// contained
syntax match cijailPort /:\d\+\ze\%(\/\|\s\|$\)/ contained
syntax match cijailStar /\*/ contained
syntax match cijailPrivate /!private\ze\%(\s\|$\)/ contained
syntax match cijailSocket /\%(^\|\s\)\@<=[\/@]\S\+/
syntax match cijailNetlink /\%(^\|\s\)\@<=\[netlink\]\ze\%(\s\|$\)/
syntax match cijailComment /\%(^\|\s\)\@<=#.*$/ contains=cijailTodo
syntax keyword cijailTodo TODO FIXME contained

highlight default link cijailWord Identifier
highlight default link cijailMethods Keyword
highlight default link cijailScheme Type
highlight default link cijailPort Number
highlight default link cijailStar Special
highlight default link cijailPrivate Special
highlight default link cijailSocket String
highlight default link cijailNetlink String
highlight default link cijailComment Comment
highlight default link cijailTodo Todo

let b:current_syntax = 'cijailpolicy'
