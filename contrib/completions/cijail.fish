# fish completion of cijail and cijailctl. Installed, it is share/fish/vendor_completions.d/cijail.fish.
set -l presets apt cargo composer gem git-github git-gitlab go gradle maven npm pip

# The words of the command, and the one that is being written; false if that is one of the options still.
function __cijail_command
    set -l tokens (commandline -opc) (commandline -ct)
    set -e tokens[1]
    argparse -s e/endpoint=+ p/policy=+ v/verbose q/quiet h/help allow-loopback fail-on-deny limit-upload= secret=+ \
        upstream=+ log= log-format= progress dry-run learn= summary= version -- $tokens 2>/dev/null
    or return 1
    set -q argv[1]; and not string match -q -- '-*' $argv[1]; or return 1
    string join0 -- $argv
    return 0
end

function __cijail_complete_command
    set -l words (__cijail_command | string split0)
    set -q words[1]; or return
    set -l last $words[-1]
    set -e words[-1]
    set -l line (string escape -- $words) $last
    complete -C "$line"
end

# A name without a slash is a preset's.
function __cijail_policies
    set -l word (commandline -ct)
    string match -q '*/*' -- $word; and __fish_complete_path $word
    string match -q '.*' -- $word; and printf '%s\n' ./ ../
    printf '%s\n' $argv
end

set -l options 'not __cijail_command >/dev/null'
complete -c cijail -n $options -s e -l endpoint -x -d 'allow this endpoint'
complete -c cijail -n $options -s p -l policy -x -a "(__cijail_policies $presets)" -d 'allow those of ./FILE, or of a preset'
complete -c cijail -n $options -l allow-loopback -d "allow every TCP port of the host's loopback"
complete -c cijail -n $options -l fail-on-deny -d 'exit with 98 if something was denied'
complete -c cijail -n $options -l limit-upload -x -d 'how much may be sent in all'
complete -c cijail -n $options -l secret -x -d 'keep a variable out; requests to HOST get its value'
complete -c cijail -n $options -l upstream -x -d 'DNS server to ask, tls://ADDRESS by TLS'
complete -c cijail -n $options -l log -r -d 'append the log to FILE'
complete -c cijail -n $options -l log-format -x -a 'text json' -d 'form of the log'
complete -c cijail -n $options -s v -l verbose -d 'log what is allowed too'
complete -c cijail -n $options -s q -l quiet -d 'log errors only'
complete -c cijail -n $options -l progress -d 'show on the terminal how it goes'
complete -c cijail -n $options -l dry-run -d 'let everything pass, log what would be denied'
complete -c cijail -n $options -l learn -r -d 'write a policy of what was used to FILE'
complete -c cijail -n $options -l summary -r -a github -d 'write a report to FILE'
complete -c cijail -n $options -s h -l help -d 'print help'
complete -c cijail -n $options -l version -d 'print the version'
complete -c cijail -x -n "__cijail_command >/dev/null" -a "(__cijail_complete_command)"

set -l verbs check explain diff show doctor report podman
complete -c cijailctl -n "not __fish_seen_subcommand_from $verbs" -x -a "$verbs --help --version"
complete -c cijailctl -n "__fish_seen_subcommand_from check explain diff show doctor" -l json -d 'print JSON'
complete -c cijailctl -n "__fish_seen_subcommand_from check explain" -s p -x -a "(__cijail_policies $presets)" -d 'a preset or ./FILE'
complete -c cijailctl -n "__fish_seen_subcommand_from explain" -s m -x -a 'GET HEAD POST PUT DELETE' -d method
complete -c cijailctl -n "__fish_seen_subcommand_from show" -x -a "$presets"
complete -c cijailctl -n "__fish_seen_subcommand_from report" -s f -x -a 'text markdown html json' -d form
complete -c cijailctl -n "__fish_seen_subcommand_from report" -s o -r -d output
