bashcompletiondir = $(datadir)/bash-completion/completions
zshcompletiondir = $(datadir)/zsh/site-functions
fishcompletiondir = $(datadir)/fish/vendor_completions.d
dist_zshcompletion_DATA = contrib/completions/_cijail
dist_fishcompletion_DATA = contrib/completions/cijail.fish
EXTRA_DIST += contrib/completions/cijail.bash contrib/apparmor/cijail contrib/github/action.yml contrib/gitlab/cijail.yml \
	contrib/docker/Dockerfile contrib/systemd/cijail-example.service contrib/vim/syntax/cijailpolicy.vim \
	contrib/vim/ftdetect/cijailpolicy.vim

# bash looks for a file of the command's name; it serves cijailctl too.
install-data-local:
	$(MKDIR_P) '$(DESTDIR)$(bashcompletiondir)'
	$(INSTALL_DATA) $(srcdir)/contrib/completions/cijail.bash '$(DESTDIR)$(bashcompletiondir)/cijail'
	cd '$(DESTDIR)$(bashcompletiondir)' && rm -f cijailctl && $(LN_S) cijail cijailctl
uninstall-local:
	rm -f '$(DESTDIR)$(bashcompletiondir)/cijail' '$(DESTDIR)$(bashcompletiondir)/cijailctl'
