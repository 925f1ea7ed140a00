#!/usr/bin/env bash
# Presets: what the client's own configuration says is what they come to, and what a project says is not.
# timeout: 400
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"
ctl=$BUILD/ctl/cijailctl
unset "${!npm_config_@}" "${!NPM_CONFIG_@}" "${!PIP_@}" "${!XDG_@}" CARGO_HOME GOPROXY GOSUMDB GOENV GONOSUMDB GOPRIVATE GOFLAGS VIRTUAL_ENV \
    GITHUB_WORKSPACE CI_PROJECT_DIR CI_SERVER_URL GITHUB_SERVER_URL WORKSPACE COMPOSER_HOME GRADLE_USER_HOME GEMRC
mkdir -p home/.config/pip project etc packages/plain
export HOME=$T_TMP/home npm_config_update_notifier=false npm_config_fund=false npm_config_audit=false \
    npm_config_fetch_retries=0 PIP_DISABLE_PIP_VERSION_CHECK=1
echo '{"name": "plain", "version": "1.0.0", "main": "index.js"}' >packages/plain/package.json
echo 'module.exports = "a plain package";' >packages/plain/index.js
python3 "$T_LIB/registry.py" npm "$T_NET/www/npm" https://registry.example/npm/ packages/plain
python3 "$T_LIB/wheel.py" "$T_NET/www/pypi" hello
cd project
echo '{"name": "project", "version": "1.0.0"}' >package.json

show() { # PRESET: its words, without where they are from
    run "$ctl" show "$@"
    words=$(sed -nE '/^#/!s/ +#.*//p' <<<"$out" | paste -sd ' ')
}

t_case 'npm: the registry of the user'\''s npmrc, without its credentials, from that line'
cat >"$HOME/.npmrc" <<'END2'
; the company's
registry = https://user:s3cret@registry.example/npm/?x=${HOME}
@scope:registry=https://scoped.example/npm
//registry.example/npm/:_authToken=t0ken
END2
show npm
t_status 0
t_eq "$words" 'GET,HEAD:https://scoped.example/npm/ scoped.example!private GET,HEAD:https://registry.example/npm/ registry.example!private'
t_match "$out" "^GET,HEAD:https://registry\.example/npm/ +# $HOME/\.npmrc:2$"
t_no_match "$out$err" 's3cret|t0ken'
run "$ctl" show --json npm
t_eq "$(python3 -c 'import json, sys; w = json.load(sys.stdin)["words"][2]; print(w["word"], w["source"] == sys.argv[1], w["line"])' \
    "$HOME/.npmrc" <<<"$out")" 'GET,HEAD:https://registry.example/npm/ True 2'

t_case 'npm install with its preset: the packages of that registry and nothing else'
sed -i 's/user:s3cret@//; s/?x.*//' "$HOME/.npmrc"
T_LIMIT=120 run cijail -v -p npm -- npm install plain
t_status 0
t_match "$err" 'allow 200 GET https://registry.example/npm/plain'
t_no_match "$err" ' deny '
run node -p 'require("plain")'
t_eq "$out" 'a plain package'
run cijail -p npm -- curl -sS -m 10 https://registry.example/pkg/lodash
t_match "$out" 'not allowed by the policy'
run cijail -p npm -- curl -sS -m 10 -X PUT -d x https://registry.example/npm/plain
t_match "$out" 'not allowed by the policy'

t_case 'npm: the variable comes before the file, in whatever case'
for name in npm_config_registry NPM_CONFIG_REGISTRY; do
    run env "$name=http://mirror.example:8080/a" "$ctl" show npm
    t_match "$out" "^GET,HEAD:http://mirror\.example:8080/a/ +# $name$"
    t_no_match "$out" 'registry\.example'
done

t_case 'npm: a registry at the host'\''s loopback is its port'
run env npm_config_registry=http://localhost:4873/ "$ctl" show npm
t_match "$out" '^127\.0\.0\.1:4873 '
run env 'npm_config_registry=http://[::1]:4873/' "$ctl" show npm
t_match "$out" '^\[::1\]:4873 '

t_case 'npm: with nothing configured npm is asked, for the registry that it has by itself'
mv "$HOME/.npmrc" "$HOME/npmrc.kept"
default=$(cd / && npm config get registry --global 2>/dev/null)
t_match "$default" '^https?://'
show npm
t_status 0
t_eq "$words" "GET,HEAD:${default%/}/"
t_match "$out" '# npm config get registry$'
echo 'registry=https://system.example/' >"$T_TMP/etc/npmrc"
npm_config_globalconfig=$T_TMP/etc/npmrc show npm
t_eq "$words" 'GET,HEAD:https://system.example/ system.example!private'
t_match "$out" "# $T_TMP/etc/npmrc:1$"

t_case 'npm: a hostile project changes nothing'
echo 'registry=https://attacker.test/' | tee .npmrc ../.npmrc >npmrc
mkdir -p bin node_modules/.bin etc
printf '#!/bin/sh\ntouch ran\necho https://attacker.test/\n' | tee bin/npm bin/node >node_modules/.bin/npm
chmod +x bin/* node_modules/.bin/npm
cp npmrc etc/npmrc
echo '{"workspaces": ["*"]}' | tee "$T_TMP/package.json" >/tmp/package.json
cp npmrc /tmp/.npmrc
show npm
t_eq "${words%% *}" "GET,HEAD:${default%/}/"
here=$PWD
for how in "PATH=$here/bin:$PATH" "PATH=bin:$PATH" "PATH=:.:$here/node_modules/.bin:$PATH" "TMPDIR=$here" TMPDIR=. \
    "npm_config_userconfig=$here/npmrc" npm_config_userconfig=npmrc "npm_config_globalconfig=$here/npmrc" \
    NPM_CONFIG_GLOBALCONFIG=npmrc "npm_config_prefix=$here" "PREFIX=$here"; do
    show=$(env "$how" "$ctl" show npm 2>&1)
    t_assert "with $how" t_has "$show" "^GET,HEAD:${default%/}/ "
    t_assert "with $how" t_has_not "$show" '^[^#].*attacker'
    t_false test -e ran
done
mkdir -p "$T_TMP/workspace/node_modules/.bin" # of a project that nothing tells of
cp node_modules/.bin/npm "$T_TMP/workspace/node_modules/.bin/npm"
show=$(env "PATH=$T_TMP/workspace/node_modules/.bin:$PATH" "$ctl" show npm 2>&1)
t_assert 'with node_modules/.bin above' t_has "$show" "^GET,HEAD:${default%/}/ "
t_false test -e ran
mkdir -p "$T_TMP/shims"
printf '#!/bin/sh\npwd >%s\necho %s\n' "$T_TMP/asked-in" "$default" >"$T_TMP/shims/npm"
chmod +x "$T_TMP/shims/npm"
for tmp in "$here" "$here/bin" "$T_TMP/shims"; do # corepack goes up from where it is to a package.json
    run env "PATH=$T_TMP/shims:$PATH" "TMPDIR=$tmp" "$ctl" show npm
    t_match "$out" "^GET,HEAD:${default%/}/ "
    t_eq "$(cat "$T_TMP/asked-in")" /
done
rm -f /tmp/package.json /tmp/.npmrc "$T_TMP/package.json"
T_LIMIT=60 run cijail -p npm -- npm install plain2
t_assert 'npm succeeded' test "$status" != 0
t_match "$err" 'deny .*attacker\.test'

t_case 'a configuration that lies in the project is left out, and that is said'
ln -s "$here/npmrc" "$HOME/.npmrc"
show npm
t_eq "${words%% *}" "GET,HEAD:${default%/}/"
t_match "$out" "^# -p npm: $HOME/\.npmrc is left out: it lies in the project that is being built"
run cijail -p npm -- true
t_status 0
t_match "$err" "^cijail: -p npm: $HOME/\.npmrc is left out"
run cijail -q -p npm -- true
t_eq "$err" ''
rm "$HOME/.npmrc"
mkdir -p sub tree/sub "$T_TMP/workspace"
cp npmrc sub/.npmrc
HOME=$here/sub show npm # a home in the project
t_eq "${words%% *}" "GET,HEAD:${default%/}/"
cp npmrc tree/.npmrc
cd tree/sub
HOME=$here/tree show npm # the twin: a home beside the current directory
t_eq "$words" 'GET,HEAD:https://attacker.test/ attacker.test!private'
mkdir "$here/tree/.git"
HOME=$here/tree show npm # of a work tree of git, too
t_eq "${words%% *}" "GET,HEAD:${default%/}/"
cd "$here"
cp npmrc "$T_TMP/workspace/.npmrc"
HOME=$T_TMP/workspace show npm
t_eq "${words%% *}" 'GET,HEAD:https://attacker.test/'
for name in GITHUB_WORKSPACE CI_PROJECT_DIR WORKSPACE; do
    run env HOME="$T_TMP/workspace" "$name=$T_TMP/workspace" "$ctl" show npm
    t_match "$out" "^GET,HEAD:${default%/}/ "
done
mv "$HOME/npmrc.kept" "$HOME/.npmrc"
rm -f .npmrc ../.npmrc npmrc

t_case 'npm that cannot be asked is an error, and nothing is run'
mkdir -p "$T_TMP/alone" && ln -sf "$(command -v sh)" "$T_TMP/alone/sh"
run env HOME=/nonexistent PATH="$T_TMP/alone" "$CIJAIL" -p npm -- /usr/bin/touch ran
t_status 125
t_match "$err" '^cijail: -p npm: neither NPM_CONFIG_REGISTRY nor .* npm cannot be asked: it is not found in PATH outside of the project$'
printf '#!/bin/sh\nexit 3\n' >"$T_TMP/alone/npm" && chmod +x "$T_TMP/alone/npm"
run env HOME=/nonexistent PATH="$T_TMP/alone" "$CIJAIL" -p npm -- /usr/bin/touch ran
t_status 125
t_match "$err" 'it failed \(status 3\)$'
t_false test -e ran
run env HOME=/nonexistent npm_config_registry=ftp://a.example/ "$CIJAIL" -p npm -- touch ran
t_status 125
t_match "$err" 'names no place'
t_false test -e ran

t_case 'pip install with its preset: the index of pip.conf, and the files beside it'
cat >"$HOME/.config/pip/pip.conf" <<'END2'
[global]
index-url = https://user:s3cret@registry.example/pypi/simple
extra-index-url =
    https://extra.example/simple/
END2
show pip
t_eq "$words" 'GET,HEAD:https://extra.example/ extra.example!private GET,HEAD:https://registry.example/pypi/ registry.example!private'
t_match "$out" "# $HOME/\.config/pip/pip\.conf:2$"
t_no_match "$out$err" s3cret
sed -i 's/user:s3cret@//; /extra/,$d' "$HOME/.config/pip/pip.conf"
T_LIMIT=120 run cijail --fail-on-deny -p pip -- /usr/bin/python3 -m pip install -q --target lib hello
t_status 0
run env PYTHONPATH=lib python3 -c 'import hello; print(hello.hello())'
t_eq "$out" 'hello of hello'
T_LIMIT=120 run cijail -- /usr/bin/python3 -m pip install -q --retries 0 --target lib2 hello
t_assert 'pip succeeded' test "$status" != 0
t_match "$err" 'deny .*registry\.example'

t_case 'pip: variables come before files, and the usual index stands if nothing is configured'
PIP_INDEX_URL=https://mirror.example/root/pypi/+simple/ PIP_EXTRA_INDEX_URL='https://a.example/ https://b.example/' show pip
t_eq "$words" 'GET,HEAD:https://a.example/ a.example!private GET,HEAD:https://b.example/ b.example!private GET,HEAD:https://mirror.example/root/pypi/ mirror.example!private'
t_match "$out" '# PIP_INDEX_URL$'
PIP_FIND_LINKS='https://a.example/whl/stable.html https://b.example/w/ https://c.example/w https://d.example/a/l.htm?x' show pip
t_match "$words " '^GET,HEAD:https://a\.example/whl/ a.example!private GET,HEAD:https://b\.example/w/ .* GET,HEAD:https://c\.example/w c.* GET,HEAD:https://d\.example/a/ '
PIP_CONFIG_FILE=$HOME/nosuch show pip # pip reads the user's file then
t_match "$words" 'registry\.example'
PIP_CONFIG_FILE=/dev/null show pip
t_no_match "$words" 'registry\.example'
rm "$HOME/.config/pip/pip.conf"
usual='GET,HEAD:https://pypi.org/simple/ GET,HEAD:https://files.pythonhosted.org/packages/'
show pip
t_eq "$words" "$usual"
t_match "$out" '# /.*/pip:3$'
PIP_INDEX_URL=https://pypi.org/simple PIP_EXTRA_INDEX_URL=https://a.example/x show pip
t_eq "$words" "GET,HEAD:https://a.example/x/ a.example!private $usual"
echo '[global]
index-url = https://attacker.test/' >pip.conf
VIRTUAL_ENV=$PWD show pip
t_eq "$words" "$usual"
PIP_CONFIG_FILE=$PWD/pip.conf show pip
t_eq "$words" "$usual"
PIP_CONFIG_FILE=pip.conf XDG_CONFIG_HOME=. show pip
t_eq "$words" "$usual"

t_case 'cargo: source replacement and registries of CARGO_HOME, not of the project'
mkdir -p .cargo "$T_TMP/cargo" "$T_TMP/cargo-bin"
cargo_is() { # VERSION
    printf '#!/bin/sh\n[ "$*" = --version ] && echo "cargo %s (x)"\n' "$1" >"$T_TMP/cargo-bin/cargo"
    chmod +x "$T_TMP/cargo-bin/cargo"
}
path=$PATH PATH=$T_TMP/cargo-bin:$PATH
cargo_is 1.70.0
cat >"$T_TMP/cargo/config.toml" <<'END2'
[source.crates-io]
replace-with = "mirror"
[source.mirror]
registry = "sparse+https://token@crates.example/index/"
[registries]
ours = { index = "https://git.example/ours.git" }
END2
printf '[source.crates-io]\nreplace-with = "evil"\n[source.evil]\nregistry = "sparse+https://attacker.test/"\n' >.cargo/config.toml
CARGO_HOME=$T_TMP/cargo show cargo
t_eq "$words" 'GET,HEAD,POST:https://git.example/ours.git/ git.example!private GET,HEAD:https://crates.example/ crates.example!private'
t_match "$out" "# $T_TMP/cargo/config\.toml:4$"
CARGO_REGISTRIES_MINE_INDEX=sparse+https://mine.example/i/ CARGO_HOME=$PWD/.cargo show cargo
t_eq "$words" 'GET,HEAD:https://mine.example/ mine.example!private GET,HEAD:https://index.crates.io/ GET,HEAD:https://static.crates.io/crates/'
usual_crates='GET,HEAD:https://index.crates.io/ GET,HEAD:https://static.crates.io/crates/'
by_git='GET,HEAD,POST:https://github.com/rust-lang/crates.io-index/ GET,HEAD:https://api.github.com/repos/rust-lang/crates.io-index/commits/'
show cargo
t_eq "$words" "$usual_crates"

t_case 'cargo is asked where nobody else can have put a toolchain'
mkdir "$T_TMP/shared"
: >"$T_TMP/shared/rust-toolchain.toml"
# As rustup's: it looks for this file in all directories above its own, and runs what that names.
cat >"$T_TMP/cargo-bin/cargo" <<END
#!/bin/sh
dir=\$PWD
while [ -n "\$dir" ]; do
    [ ! -e "\$dir/rust-toolchain.toml" ] || touch "$T_TMP/ran"
    dir=\${dir%/*}
done
echo 'cargo 1.65.0 (x)'
END
TMPDIR=$T_TMP/shared show cargo
t_match "$out" '# cargo --version$'
t_true test ! -e "$T_TMP/ran"
(mkdir "$T_TMP/shared/empty" && cd "$T_TMP/shared/empty" && cargo --version) >/dev/null # the twin
t_true test -e "$T_TMP/ran"

t_case 'cargo: the index of crates.io by git, where that is configured or cargo is old'
CARGO_REGISTRIES_CRATES_IO_PROTOCOL=git show cargo
t_eq "$words" "$by_git $usual_crates"
cargo_is 1.65.0
show cargo
t_eq "$words" "$by_git $usual_crates"
t_match "$out" '# cargo --version$'
CARGO_REGISTRIES_CRATES_IO_PROTOCOL=sparse show cargo
t_eq "$words" "$usual_crates"
CARGO_HOME=$T_TMP/cargo show cargo # crates.io has another in its place
t_no_match "$words" github
mkdir "$T_TMP/cargo-git"
printf '[registries.crates-io]\nprotocol = "git"\n' >"$T_TMP/cargo-git/config.toml"
cargo_is 1.90.0
CARGO_HOME=$T_TMP/cargo-git show cargo
t_eq "$words" "$by_git $usual_crates"
for version in nightly 2.1.0 ''; do
    cargo_is "$version"
    show cargo
    t_eq "$words" "$usual_crates"
done
PATH=$path

t_case 'go: GOPROXY and GOSUMDB, of the environment and of go env -w'
mkdir -p "$HOME/.config/go"
sums=GET,HEAD:https://sum.golang.org/
usual_go='GET,HEAD:https://proxy.golang.org/ GET,HEAD:https://storage.googleapis.com/proxy-golang-org-prod/'
echo 'GOPROXY=https://go.example/mod|https://proxy.golang.org,direct' >"$HOME/.config/go/env"
show go
t_eq "$words" "GET,HEAD:https://go.example/mod/ go.example!private $sums $usual_go"
GOPROXY=https://other.example GOSUMDB='sum.golang.org https://sums.example' show go
t_eq "$words" 'GET,HEAD:https://other.example/ other.example!private GET,HEAD:https://sums.example/ sums.example!private'
GOENV=off show go
t_eq "$words" "$sums $usual_go"
t_no_match "$out" '^# '

t_case 'go: no database of checksums where none is asked, and no proxy where there is none'
rm "$HOME/.config/go/env"
for how in GOSUMDB=off 'GONOSUMDB=a.example,*' 'GOPRIVATE=*' 'GOFLAGS=-v -insecure'; do
    run env "$how" "$ctl" show go
    t_no_match "$out" sum.golang
    t_match "$out" '^GET,HEAD:https://proxy\.golang\.org/'
done
for how in 'GONOSUMDB=*.ours.example' 'GOPRIVATE=*.ours.example' GOFLAGS=-v GOSUMDB=sum.golang.org+key; do # the twins
    run env "$how" "$ctl" show go
    t_match "$out" '^GET,HEAD:https://sum\.golang\.org/ '
done
GOSUMDB=sum.golang.google.cn show go
t_eq "$words" "GET,HEAD:https://sum.golang.google.cn/ $usual_go"
GOPROXY=direct show go
t_eq "$words" "$sums"
t_match "$out" '^# -p go: GOPROXY is direct: '
GOPROXY=off show go
t_status 0
t_eq "$words" ''
t_match "$out" '^# -p go: GOPROXY is off'
GOPROXY=off run cijail -p go -- true
t_status 0

t_case 'maven and gradle: settings.xml, init scripts'
mkdir -p "$HOME/.m2" "$HOME/.gradle/init.d"
cat >"$HOME/.m2/settings.xml" <<'END2'
<settings>
  <servers><server><password>s3cret</password></server></servers>
  <mirrors>
    <mirror><mirrorOf>external:*,!ours</mirrorOf>
      <url>https://${env.MIRROR}/maven</url></mirror>
    <mirror><mirrorOf>external:http:*</mirrorOf><url>http://0.0.0.0/</url><blocked>true</blocked></mirror>
  </mirrors>
  <profiles><profile><repositories><repository><url>https://repo.example/ours</url></repository></repositories></profile></profiles>
</settings>
END2
MIRROR=mirror.example show maven
t_eq "$words" 'GET,HEAD:https://mirror.example/maven/ mirror.example!private GET,HEAD:https://repo.example/ours/ repo.example!private'
t_match "$out" "# $HOME/\.m2/settings\.xml:5$"
show maven # the variable is not set
t_eq "$words" 'GET,HEAD:https://repo.example/ours/ repo.example!private'
t_match "$out" "^# -p maven: $HOME/\.m2/settings\.xml:5: .* left out"
printf '<!DOCTYPE settings>\n<settings></settings>\n' >"$HOME/.m2/settings.xml"
show maven
t_match "$out" "^# -p maven: $HOME/\.m2/settings\.xml:1: left out: what comes from here on"
printf '<settings><mirrors><mirror><mirrorOf>*</mirrorOf><url>https://&#x6d;.example/</url></mirror></mirrors>\n<a>&nope;</a></settings>' >"$HOME/.m2/settings.xml"
show maven
t_eq "$words" 'GET,HEAD:https://m.example/ m.example!private'
t_match "$out" "settings\.xml:2: left out: a value with an entity"
rm "$HOME/.m2/settings.xml"
show maven
t_eq "$words" 'GET,HEAD:https://repo.maven.apache.org/maven2/'
printf 'allprojects { repositories {\n  maven { url = uri("https://gradle.example/m2") } // url "no"\n}}\n' >"$HOME/.gradle/init.d/a.gradle.kts"
show gradle
t_match "$words" 'GET,HEAD:https://gradle\.example/m2/'
t_match "$words" 'GET,HEAD:https://services\.gradle\.org/distributions/'

t_case 'gem, bundler, composer'
printf -- '---\n:sources:\n- https://gems.example/\n' >"$HOME/.gemrc"
show gem
t_eq "$words" 'GET,HEAD:https://gems.example/ gems.example!private'
rm "$HOME/.gemrc"
mkdir "$HOME/.bundle" && echo 'BUNDLE_MIRROR__HTTPS://RUBYGEMS__ORG/: "https://bundle.example/"' >"$HOME/.bundle/config"
show gem
t_eq "$words" 'GET,HEAD:https://bundle.example/ bundle.example!private'
rm "$HOME/.bundle/config"
show gem
t_match "$words" 'GET,HEAD:https://rubygems\.org/'
mkdir "$HOME/.composer"
echo '{"repositories": [{"type": "composer", "url": "https://satis.example"},
    {"type": "composer", "url": "https://satis.example/a/packages.json"}, {"packagist.org": false}]}' >"$HOME/.composer/config.json"
show composer
t_eq "$words" 'GET,HEAD:https://satis.example/ satis.example!private GET,HEAD:https://satis.example/a/'
rm "$HOME/.composer/config.json"
show composer
t_match "$words" 'GET,HEAD:https://repo\.packagist\.org/'

t_case 'git: insteadOf, and the server of a CI job'
show git-github
t_eq "$words" 'GET,HEAD,POST:https://github.com/'
printf '[url "https://oauth2:s3cret@github.com/"]\n\tinsteadOf = https://github.com/\n' >"$HOME/.gitconfig"
show git-github
t_eq "$words" 'GET,HEAD,POST:https://github.com/'
printf '[url "https://mirror.example/gh/"]\n\tinsteadOf = "https://github.com/"\n' >"$HOME/.gitconfig"
show git-github
t_eq "$words" 'GET,HEAD,POST:https://mirror.example/gh/ mirror.example!private'
for base in https://mirror.example/gh-=https://github.com/ https://mirror.example/gh=https://github.com; do
    printf '[url "%s"]\n\tinsteadOf = %s\n' "${base%%=*}" "${base#*=}" >"$HOME/.gitconfig"
    show git-github
    t_match "$words" '^GET,HEAD,POST:https://mirror\.example/gh(-|/) mirror\.example!private$'
done

t_case 'git: sections of one line, and files that are included'
cat >"$HOME/.gitconfig" <<'END2'
[Url "https://one.example/gh/"] insteadOf = https://github.com/
[include] path = more.inc
[include]
	path = ../project/evil.inc
	path = ~/home.inc
[includeIf "gitdir:/x/"]
	path = some.inc
END2
printf '[url "https://two.example/"]\n\tinsteadOf = https://github.com/a/\n' >"$HOME/more.inc"
printf '[url "https://three.example/"]\n\tinsteadOf = https://github.com/b/\n[include]\n\tpath = home.inc\n' >"$HOME/home.inc"
printf '[url "https://attacker.test/"]\n\tinsteadOf = https://github.com/\n' >evil.inc
T_LIMIT=10 show git-github
t_match "$words" '^GET,HEAD,POST:https://one\.example/gh/ .*GET,HEAD,POST:https://two\.example/ .*GET,HEAD,POST:https://three\.example/ '
t_match "$out" "# $HOME/home\.inc:2$"
t_no_match "$words" attacker
t_match "$out" "evil\.inc is left out: it lies in the project"
t_match "$out" "^# -p git-github: $HOME/\.gitconfig:7: left out: what is included on a condition"
t_match "$out" "home\.inc:4: left out: more than 32 files are included"
rm "$HOME/.gitconfig"
CI_SERVER_URL=https://gitlab.example:8443 show git-gitlab
t_eq "$words" 'GET,HEAD,POST:https://gitlab.example:8443/ gitlab.example!private'
show git-gitlab
t_eq "$words" 'GET,HEAD,POST:https://gitlab.com/'

t_case 'apt: both forms of its sources, no CD-ROM, nothing that is switched off'
if unshare --user --map-current-user --keep-caps --mount true 2>/dev/null || ((EUID == 0)); then
    cat >"$T_TMP/apt.sources" <<'END2'
Types: deb
URIs: http://user:s3cret@mirror.example/debian cdrom:[x]/
 https://two.example/d https://two.example/$(ARCH)/$(ARCH)
Suites: stable

Types: deb
Enabled: no
URIs: http://no.example/
END2
    printf 'deb [ arch=amd64 ] http://three.example/d stable main\ndeb mirror+file:%s/mirrors stable main\ndeb mirror+https://five.example/list.txt s\n' "$T_TMP" >"$T_TMP/apt.list"
    echo 'https://four.example/d priority:1' >"$T_TMP/mirrors"
    printf '// Acquire::http::Proxy "http://no.example/";\nAcquire { http { Proxy "DIRECT"; }; };\n' >"$T_TMP/apt.conf"
    printf 'Acquire::http::Proxy::x.example "http://a.example";\nacquire::HTTPS::proxy "http://a.example:1/";\n' >>"$T_TMP/apt.conf"
    flags=(--mount)
    ((EUID == 0)) || flags+=(--user --map-current-user --keep-caps)
    run unshare "${flags[@]}" -- sh -c "mount -t tmpfs none /etc/apt && mkdir /etc/apt/sources.list.d &&
        cp '$T_TMP/apt.sources' /etc/apt/sources.list.d/a.sources && cp '$T_TMP/apt.list' /etc/apt/sources.list &&
        cp '$T_TMP/apt.list' /etc/apt/sources.list.d/b.list.off && mkdir /etc/apt/apt.conf.d &&
        cp '$T_TMP/apt.conf' /etc/apt/apt.conf.d/90proxy && cp '$T_TMP/apt.conf' /etc/apt/apt.conf.d/off.bak && exec '$ctl' show apt"
    t_eq "$(sed -nE "/^#/!s/ +#.*//p" <<<"$out" | sed "s,/$(dpkg --print-architecture),/A,g" | grep -v private | paste -sd ' ')" \
        'GET,HEAD:http://three.example/d/ GET,HEAD:https://four.example/d/ GET,HEAD:https://five.example/list.txt GET,HEAD:http://mirror.example/debian/ GET,HEAD:https://two.example/d/ GET,HEAD:https://two.example/A/A/'
    t_match "$out" '# /etc/apt/sources\.list\.d/a\.sources:2$'
    t_match "$out" '^# -p apt: /etc/apt/apt\.conf\.d/90proxy:4 names a proxy'
    t_count 1 "$out" 'names a proxy'
    run unshare "${flags[@]}" -- sh -c "mount -t tmpfs none /etc/apt && exec '$ctl' show apt"
    t_status 2
    t_match "$err" '^cijailctl: show: -p apt: the configuration of the client names no place'
fi

t_case 'a proxy of the client'\''s own is noted, with its place'
says_proxy() { # PLACE PRESET
    show "$2"
    t_match "$out" "^# -p $2: $1 names a proxy, .* https_proxy and http_proxy"
}
mkdir -p "$T_TMP/p/.config/pip" "$T_TMP/p/.m2" "$T_TMP/p/.cargo" "$T_TMP/p/.gradle"
cd "$T_TMP/p"
printf 'registry=https://r.example/\nhttps-proxy=http://proxy.example:3128\nproxy=null\n' >.npmrc
printf '[global]\nproxy = http://proxy.example:3128\n' >.config/pip/pip.conf
printf '[http]\nproxy = "proxy.example:3128"\n' >.cargo/config.toml
printf '[http]\n\tproxy = http://proxy.example:3128\n[http "https://x.example"]\n\tproxy = ""\n' >.gitconfig
printf '<settings><proxies>\n<proxy><active>false</active></proxy>\n<proxy><host>h</host></proxy>\n</proxies></settings>' >.m2/settings.xml
printf -- '---\n:http_proxy: http://proxy.example:3128\n' >.gemrc
printf 'a=b\nsystemProp.https.proxyHost=proxy.example\n' >.gradle/gradle.properties
home=$HOME HOME=$T_TMP/p
cd /
while read -r preset place; do
    says_proxy "$HOME/$place" "$preset"
    t_count 1 "$out" 'names a proxy'
done <<'END2'
npm \.npmrc:2
pip \.config/pip/pip\.conf:2
cargo \.cargo/config\.toml:2
git-github \.gitconfig:2
maven \.m2/settings\.xml:3
gem \.gemrc:2
gradle \.gradle/gradle\.properties:2
END2
HOME=$home
export npm_config_registry=https://r.example/
npm_config_https_proxy=http://proxy.example:1/ says_proxy npm_config_https_proxy npm
PIP_PROXY=proxy.example:1 says_proxy PIP_PROXY pip
CARGO_HTTP_PROXY=proxy.example:1 says_proxy CARGO_HTTP_PROXY cargo
npm_config_noproxy=x.example npm_config_proxy=false show npm # the twin
t_no_match "$out" 'names a proxy'
unset npm_config_registry
cd "$T_TMP/project"

t_case 'files that are no configuration are left out: a FIFO, a device, a file without an end'
mkfifo "$T_TMP/fifo"
for file in "$T_TMP/fifo" /dev/zero /proc/self/mem; do
    PIP_CONFIG_FILE=$file T_LIMIT=10 show pip
    t_eq "$words" "$usual"
    t_match "$out" "^# -p pip: $file is left out: "
done
truncate -s 2M "$T_TMP/large"
PIP_CONFIG_FILE=$T_TMP/large show pip
t_match "$out" 'left out: it is too long'

t_case 'check and explain take presets; a word of no place is no word'
export npm_config_registry=https://registry.example/npm/
run "$ctl" check -p npm
t_status 0
run "$ctl" explain -p npm https://registry.example/npm/plain
t_status 0
t_match "$out" "^allowed by 'GET,HEAD:https://registry\.example/npm/' \(npm_config_registry:1\)"
run "$ctl" explain -m PUT -p npm https://registry.example/npm/plain
t_status 1
for url in 'https://*/' 'https://*.example/' 'https://${NOPE}/' 'https://a b/' 'https://' 'https://%00/'; do
    run env HOME=/nonexistent npm_config_registry="$url" "$ctl" show npm
    t_status 2
    t_match "$err" 'no URL of one place'
done
run "$ctl" show
t_match "$out" '^npm '
names=$(cut -d ' ' -f 1 <<<"$out" | paste -sd ' ')
run "$ctl" show --json
t_status 0
t_eq "$(python3 -c 'import json, sys; l = json.load(sys.stdin); assert all(p["for"] for p in l); print(*(p["name"] for p in l))' <<<"$out")" "$names"
run "$ctl" show nosuch
t_status 2
t_match "$err" 'there is no preset of that name'
run "$ctl" show ../npm
t_status 2
t_match "$err" '^cijailctl: show: \.\./npm: a file, and no preset; cijailctl show lists the presets$'
t_done
