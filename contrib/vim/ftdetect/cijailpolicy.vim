autocmd BufRead,BufNewFile *.policy,*/cijail/policies/* setfiletype cijailpolicy
