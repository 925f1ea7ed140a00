#!/usr/bin/env bash
# --secret with the clients whose credentials it is for: each has a placeholder, and its server lets nobody in without the
# value. Not of the table in README.md.
. "$(dirname "$0")/../lib/lib.sh"
. "$T_LIB/repositories.sh"
in_test_internet "$@"
site=https://guarded.example
mkdir home plain
export HOME=$T_TMP/home
unset "${!npm_config_@}" "${!NPM_CONFIG_@}" "${!PIP_@}" "${!XDG_@}" MAVEN_OPTS JAVA_TOOL_OPTIONS
unset CIJAIL_ENDPOINTS
export npm_config_globalconfig=/nowhere PREFIX=/nowhere # this machine's may name a file of roots
export TOKEN=Sikrit-7

empty() { # a new folder to be in
    cd "$T_TMP" && rm -rf project && mkdir project && cd project || exit
}

# guarded WANT RESULT COMMAND: gets WANT where the server may have the secret, and not where another one may.
guarded() {
    local want=$1 result=$2 command=$3
    empty
    run cijail -v -e $site/ -e https://registry.example/ --secret TOKEN=guarded.example -- sh -c "$command"
    t_status 0
    t_match "$(eval "$result")" "$want"
    t_denials 0
    t_no_match "$out$err$(grep -rh Sikrit . "$HOME" 2>/dev/null)" 'Sikrit'
    empty
    run cijail -v -e $site/ -e https://registry.example/ --secret TOKEN=registry.example -- sh -c "$command"
    t_assert 'exit status is 0' test "$status" != 0
    t_no_match "$(eval "$result")" "$want"
    t_match "$err" ' deny - GET https://guarded\.example/.*: the field [Aa]uthorization holds the placeholder of the secret TOKEN'
}

empty
t_case 'the server lets in who has the token, and nobody else'
run curl -sS -o no -w '%{http_code} ' $site/pkg/lodash -u user:wrong $site/pkg/lodash
t_match "$out" '^401 '
run curl -fsS -u "user:$TOKEN" $site/pkg/lodash
t_eq "$out" 'a package'
run curl -fsS -H "Authorization: Bearer $TOKEN" $site/pkg/lodash
t_eq "$out" 'a package'

t_case 'npm: _authToken in .npmrc'
echo '{"name": "plain", "version": "1.0.0", "main": "index.js"}' >../plain/package.json
echo '// a plain package' >../plain/index.js
python3 "$T_LIB/registry.py" npm "$T_NET/www/npm" $site/npm/ ../plain
printf '%s\n' "registry=$site/npm/" '//guarded.example/npm/:_authToken=${TOKEN}' fetch-retries=0 update-notifier=false fund=false audit=false >"$HOME/.npmrc"
guarded '^// a plain package$' 'cat node_modules/plain/index.js 2>/dev/null' \
    'echo "{\"name\": \"project\", \"version\": \"1.0.0\"}" >package.json; npm install --cache "$PWD/cache" plain'

t_case 'pip: the password in the URL of the index'
python3 "$T_LIB/wheel.py" "$T_NET/www/pypi" hello
guarded "return 'hello of hello'" 'cat lib/hello.py 2>/dev/null' \
    '/usr/bin/python3 -m pip install -q --disable-pip-version-check --no-cache-dir --retries 0 --no-input \
        --index-url "https://__token__:$TOKEN@guarded.example/pypi/simple" --target lib hello'

t_case 'git: a credential helper'
guarded '^hello from git$' 'cat project/README 2>/dev/null' \
    'GIT_TERMINAL_PROMPT=0 git -c credential.helper= -c "credential.helper=!f() { echo username=user; echo \"password=\$TOKEN\"; }; f" \
        clone -q https://guarded.example/git/project.git'

t_case 'curl and wget: .netrc'
for command in 'curl -fsS --netrc-file netrc' 'HOME=$PWD wget -qO -'; do
    guarded '^a package$' 'echo "$out"' \
        "echo \"machine guarded.example login user password \$TOKEN\" >netrc; cp netrc .netrc; $command $site/pkg/lodash"
done

t_case 'apt: auth.conf'
apt_repository
cat >../apt.sh <<END
install -d apt/etc/apt/apt.conf.d apt/etc/apt/preferences.d apt/etc/apt/sources.list.d apt/etc/apt/trusted.gpg.d apt/etc/apt/auth.conf.d \
    apt/var/lib/apt/lists/partial apt/var/cache/apt/archives/partial
echo 'deb [trusted=yes] $site/apt ./' >apt/etc/apt/sources.list
echo "machine guarded.example login user password \$TOKEN" >apt/etc/apt/auth.conf.d/guarded.conf
printf '%s\n' "Dir \"\$PWD/apt/\";" 'Dir::State::status "/dev/null";' 'Acquire::Retries "0";' 'Acquire::Languages "none";' \
    'APT::Sandbox::User "root";' >apt.conf
export APT_CONFIG=\$PWD/apt.conf
apt-get -q -o APT::Update::Error-Mode=any update && apt-get -q download jailed
END
guarded '^jailed$' 'dpkg-deb --field jailed_*.deb Package 2>/dev/null' 'sh ../apt.sh'

t_case 'Maven: settings.xml'
maven_repository ../maven
echo '<settings><servers><server><id>central</id><username>user</username><password>${env.TOKEN}</password></server></servers></settings>' >../maven/settings.xml
guarded '<artifactId>lib</artifactId>' 'cat repository/t/lib/1/lib-1.pom 2>/dev/null' \
    'mvn -q -B -s ../maven/settings.xml -f ../maven/pom.xml -Duser.home="$HOME" -Dmaven.repo.local="$PWD/repository" -N validate'

t_done
