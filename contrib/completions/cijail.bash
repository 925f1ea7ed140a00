# bash completion of cijail and cijailctl. Installed, it is share/bash-completion/completions/cijail.

_cijail_presets='apt cargo composer gem git-github git-gitlab go gradle maven npm pip'

# Where the command begins, after the options: $at; 0: it has not begun before the current word.
_cijail_command() {
    local i
    at=0
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            -e | -p | --endpoint | --policy | --log | --log-format | --learn | --summary | --limit-upload | --secret | --upstream) i=$((i + 1)) ;;
            --) at=$((i + 1)) && return ;;
            -*) ;;
            *) at=$i && return ;;
        esac
    done
}

_cijail() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} at
    COMPREPLY=()
    _cijail_command
    if ((at)); then
        if declare -F _command_offset >/dev/null; then _command_offset "$at"; else mapfile -t COMPREPLY < <(compgen -c -f -- "$cur"); fi
        return
    fi
    case $prev in
        -p | --policy) mapfile -t COMPREPLY < <(compgen -W "$_cijail_presets" -- "$cur"; compgen -f -- "$cur") ;;
        --log-format) mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$cur") ;;
        --summary) mapfile -t COMPREPLY < <(compgen -W github -- "$cur"; compgen -f -- "$cur") ;;
        --log | --learn) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
        -e | --endpoint | --limit-upload | --upstream) ;;
        --secret) mapfile -t COMPREPLY < <(compgen -v -S = -- "$cur") ;;
        *)
            if [[ $cur == -* ]]; then
                mapfile -t COMPREPLY < <(compgen -W '-e -p -v -q -h --endpoint --policy --allow-loopback --fail-on-deny --log
                    --log-format --verbose --quiet --dry-run --learn --summary --limit-upload --secret --upstream --progress --help --version --' -- "$cur")
            else
                mapfile -t COMPREPLY < <(compgen -c -- "$cur")
            fi
            ;;
    esac
}

_cijailctl() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W 'check explain diff show doctor report podman --help --version' -- "$cur")
        return
    fi
    case ${COMP_WORDS[1]}:$prev:$cur in
        *:-p:*) mapfile -t COMPREPLY < <(compgen -W "$_cijail_presets" -- "$cur"; compgen -f -- "$cur") ;;
        report:-f:*) mapfile -t COMPREPLY < <(compgen -W 'text markdown html json' -- "$cur") ;;
        explain:-m:*) mapfile -t COMPREPLY < <(compgen -W 'GET HEAD POST PUT DELETE' -- "$cur") ;;
        check:*:-*) mapfile -t COMPREPLY < <(compgen -W '--json -p' -- "$cur") ;;
        explain:*:-*) mapfile -t COMPREPLY < <(compgen -W '--json -p -m' -- "$cur") ;;
        report:*:-*) mapfile -t COMPREPLY < <(compgen -W '-f -o' -- "$cur") ;;
        *:*:-*) mapfile -t COMPREPLY < <(compgen -W '--json' -- "$cur") ;;
        show:*) mapfile -t COMPREPLY < <(compgen -W "$_cijail_presets" -- "$cur") ;;
        doctor:* | podman:*) ;;
        *) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
    esac
}

complete -o filenames -F _cijail cijail
complete -o filenames -F _cijailctl cijailctl
