# bash completion of cijail and cijailctl. Installed, it is share/bash-completion/completions/cijail.

_cijail_presets='apt cargo composer gem git-github git-gitlab go gradle maven npm pip'

# Bash takes words apart at '=' and ':' (COMP_WORDBREAKS). $words: up to the current one, put together again; $places: where
# each begins in COMP_WORDS; $cur, $prev: the last two, those of --option=VALUE too. What is offered takes the place of the
# part behind the last such character.
_cijail_words() {
    local i glue=1
    words=() places=()
    for ((i = 0; i <= COMP_CWORD; i++)); do
        if [[ ${COMP_WORDS[i]} == +([=:]) && i -gt 1 ]]; then glue=1; fi
        if ((glue && ${#words[@]})); then words[-1]+=${COMP_WORDS[i]}; else words+=("${COMP_WORDS[i]}") && places+=("$i"); fi
        if [[ ${COMP_WORDS[i]} != +([=:]) ]]; then glue=0; fi
    done
    cur=${words[-1]} prev=${words[-2]-}
    if [[ $cur == --*=* ]]; then prev=${cur%%=*} cur=${cur#*=}; fi
}

# Where the command begins in COMP_WORDS, after the options: $at; 0: it has not begun before the current word.
_cijail_command() {
    local i
    at=0
    for ((i = 1; i < ${#words[@]} - 1; i++)); do
        case ${words[i]} in
            -e | -p | --endpoint | --policy | --log | --log-format | --learn | --summary | --limit-upload | --secret | --upstream) i=$((i + 1)) ;;
            --) at=${places[i + 1]} && return ;;
            -*) ;;
            *) at=${places[i]} && return ;;
        esac
    done
}

# A name without a slash is a preset's.
_cijail_policies() {
    compgen -W "$_cijail_presets" -- "$cur"
    if [[ $cur == */* ]]; then compgen -f -- "$cur"; elif [[ $cur == .* ]]; then compgen -W './ ../' -- "$cur"; fi
}

_cijail() {
    local cur prev at words places
    COMPREPLY=()
    _cijail_words
    _cijail_command
    if ((at)); then
        if declare -F _command_offset >/dev/null; then _command_offset "$at"; else mapfile -t COMPREPLY < <(compgen -c -f -- "$cur"); fi
        return
    fi
    case $prev in
        -p | --policy) mapfile -t COMPREPLY < <(_cijail_policies) ;;
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
    local cur prev words places
    COMPREPLY=()
    _cijail_words
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W 'check explain diff show doctor report podman --help --version' -- "$cur")
        return
    fi
    case ${COMP_WORDS[1]}:$prev:$cur in
        podman:*) if declare -F _command_offset >/dev/null; then _command_offset 1; fi ;;
        *:-p:*) mapfile -t COMPREPLY < <(_cijail_policies) ;;
        report:-f:*) mapfile -t COMPREPLY < <(compgen -W 'text markdown html json' -- "$cur") ;;
        explain:-m:*) mapfile -t COMPREPLY < <(compgen -W 'GET HEAD POST PUT DELETE' -- "$cur") ;;
        check:*:-*) mapfile -t COMPREPLY < <(compgen -W '--json -p' -- "$cur") ;;
        explain:*:-*) mapfile -t COMPREPLY < <(compgen -W '--json -p -m' -- "$cur") ;;
        report:*:-*) mapfile -t COMPREPLY < <(compgen -W '-f -o' -- "$cur") ;;
        *:*:-*) mapfile -t COMPREPLY < <(compgen -W '--json' -- "$cur") ;;
        show:*) mapfile -t COMPREPLY < <(compgen -W "$_cijail_presets" -- "$cur") ;;
        doctor:*) ;;
        *) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
    esac
}

complete -o filenames -F _cijail cijail
complete -o filenames -F _cijailctl cijailctl
