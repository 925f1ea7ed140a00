# fish completion of cijail and cijailctl. Installed, it is share/fish/vendor_completions.d/cijail.fish.
set -l presets apt cargo composer gem git-github git-gitlab go gradle maven npm pip

complete -c cijail -s e -l endpoint -x -d 'allow this endpoint'
complete -c cijail -s p -l policy -r -a "$presets" -d 'allow those of ./FILE, or of a preset'
complete -c cijail -l allow-loopback -d "allow every TCP port of the host's loopback"
complete -c cijail -l fail-on-deny -d 'exit with 98 if something was denied'
complete -c cijail -l limit-upload -x -d 'how much may be sent in all'
complete -c cijail -l secret -x -d 'keep a variable out; requests to HOST get its value'
complete -c cijail -l upstream -x -d 'DNS server to ask, tls://ADDRESS by TLS'
complete -c cijail -l log -r -d 'append the log to FILE'
complete -c cijail -l log-format -x -a 'text json' -d 'form of the log'
complete -c cijail -s v -l verbose -d 'log what is allowed too'
complete -c cijail -s q -l quiet -d 'log errors only'
complete -c cijail -l progress -d 'show on the terminal how it goes'
complete -c cijail -l dry-run -d 'let everything pass, log what would be denied'
complete -c cijail -l learn -r -d 'write a policy of what was used to FILE'
complete -c cijail -l summary -r -a github -d 'write a report to FILE'
complete -c cijail -s h -l help -d 'print help'
complete -c cijail -l version -d 'print the version'
complete -c cijail -n '__fish_is_first_token' -a '(__fish_complete_command)'

set -l verbs check explain diff show doctor report podman
complete -c cijailctl -n "not __fish_seen_subcommand_from $verbs" -x -a "$verbs --help --version"
complete -c cijailctl -n "__fish_seen_subcommand_from check explain diff show doctor" -l json -d 'print JSON'
complete -c cijailctl -n "__fish_seen_subcommand_from check explain" -s p -r -a "$presets" -d 'a preset or ./FILE'
complete -c cijailctl -n "__fish_seen_subcommand_from explain" -s m -x -a 'GET HEAD POST PUT DELETE' -d method
complete -c cijailctl -n "__fish_seen_subcommand_from show" -x -a "$presets"
complete -c cijailctl -n "__fish_seen_subcommand_from report" -s f -x -a 'text markdown html json' -d form
complete -c cijailctl -n "__fish_seen_subcommand_from report" -s o -r -d output
