#!/usr/bin/env bash
# Package managers, each with a registry of its own in the test internet.
# timeout: 900
. "$(dirname "$0")/../lib/lib.sh"
. "$T_LIB/clients.sh"
. "$T_LIB/repositories.sh"
npm_packages yarn@1 pnpm @react-native-community/template
in_test_internet "$@"
mkdir home project packages
export HOME=$T_TMP/home
unset "${!PIP_@}" "${!XDG_@}" CARGO_HOME GOPROXY GOENV GRADLE_USER_HOME GEMRC MAVEN_OPTS
cd project

# --- npm, yarn, pnpm ---

unset "${!npm_config_@}" "${!NPM_CONFIG_@}"
mkdir ../packages/plain
echo '{"name": "plain", "version": "1.0.0", "main": "index.js"}' >../packages/plain/package.json
echo '// a plain package' >../packages/plain/index.js
python3 "$T_LIB/registry.py" npm "$T_NET/www/npm" $site/npm/ ../packages/plain
cat >"$HOME/.npmrc" <<END2
registry=$site/npm/
fetch-retries=0
update-notifier=false
fund=false
audit=false
END2
export npm_config_globalconfig=/nowhere PREFIX=/nowhere # this machine's may name a file of roots
of_node() {
    allow=$site/npm/ want='// a plain package'
    result() { cat node_modules/plain/index.js 2>/dev/null; }
    fresh() {
        rm -rf node_modules package-lock.json yarn.lock pnpm-lock.yaml "$HOME"/{.npm,.cache,.local,.yarn*}
        echo '{"name": "project", "version": "1.0.0"}' >package.json
    }
}

if client 'npm' npm --version; then
    of_node
    needs=NODE_EXTRA_CA_CERTS
    both_ways npm install plain
fi

if client 'yarn' "$NPM/node_modules/.bin/yarn" --version; then
    of_node
    needs=NODE_EXTRA_CA_CERTS
    both_ways "$NPM/node_modules/.bin/yarn" add plain
fi

if client 'pnpm' "$NPM/node_modules/.bin/pnpm" --version; then
    of_node
    both_ways "$NPM/node_modules/.bin/pnpm" add plain
fi

unset npm_config_globalconfig PREFIX

# --- pip ---

python3 "$T_LIB/wheel.py" "$T_NET/www/pypi" hello
if client 'pip' /usr/bin/python3 -m pip --version; then
    allow=$site/pypi/ want="    return 'hello of hello'"
    result() { tail -n 1 lib/hello.py 2>/dev/null; }
    fresh() { rm -rf lib; }
    both_ways /usr/bin/python3 -m pip install -q --disable-pip-version-check --no-cache-dir --retries 0 \
        --index-url $site/pypi/simple --target lib hello
fi

# --- apt ---

if client 'apt' apt-get --version; then
    apt_repository
    install -d apt/{etc/apt/{apt.conf.d,preferences.d,sources.list.d,trusted.gpg.d},var/lib/apt/lists/partial,var/cache/apt/archives/partial}
    echo "deb [trusted=yes] $site/apt ./" >apt/etc/apt/sources.list
    cat >apt.conf <<END2
Dir "$PWD/apt/";
Dir::State::status "/dev/null";
Acquire::Retries "0";
Acquire::Languages "none";
APT::Sandbox::User "root";
END2
    export APT_CONFIG=$PWD/apt.conf
    # Where no proxy is named it looks for SRV records first.
    allow="$site/apt/ _https._tcp.registry.example" want=jailed
    remark='`_https._tcp.HOST`, lest its SRV lookup be a denial'
    result() { dpkg-deb --field jailed_*.deb Package 2>/dev/null; }
    fresh() { rm -rf jailed_*.deb apt/var/lib/apt/lists/*example*; }
    both_ways sh -c 'apt-get -q update && apt-get -q download jailed'
    unset APT_CONFIG
fi

# --- cargo ---

if client 'cargo' cargo --version; then
    mkdir -p crates/good-crate/src src "$HOME/.cargo"
    printf '[package]\nname = "good-crate"\nversion = "1.0.0"\nedition = "2021"\n' >crates/good-crate/Cargo.toml
    echo '// a good crate' >crates/good-crate/src/lib.rs
    # shellcheck disable=SC2016 # cargo fills these in
    printf '{"dl": "https://static.crates.example/crates/{crate}/{crate}-{version}.crate"}' >"$T_NET/www/crates-index/config.json"
    python3 "$T_LIB/registry.py" cargo "$T_NET/www/crates-index" "$T_NET/www/crates" crates/good-crate
    printf '[package]\nname = "project"\nversion = "0.1.0"\nedition = "2021"\n[dependencies]\ngood-crate = "1"\n' >Cargo.toml
    echo 'fn main() {}' >src/main.rs
    cat >"$HOME/.cargo/config.toml" <<END2
[unstable]
sparse-registry = true
[net]
retry = 0
[source.crates-io]
replace-with = "mirror"
[source.mirror]
registry = "sparse+https://index.crates.example/"
END2
    export RUSTC_BOOTSTRAP=1 # before 1.68 a sparse registry is for nightly versions
    allow='https://index.crates.example/ https://static.crates.example/crates/' deny='https://index.crates.example/other/'
    want='// a good crate'
    result() { cat "$HOME"/.cargo/registry/src/*/good-crate-1.0.0/src/lib.rs 2>/dev/null; }
    fresh() { rm -rf "$HOME/.cargo/registry" Cargo.lock; }
    both_ways cargo fetch
fi

# --- Go ---

if client 'Go modules' go version; then
    mkdir -p module/example.org/hello gomod
    echo 'module example.org/hello' >module/go.mod
    echo 'package hello // from a proxy' >module/hello.go
    python3 "$T_LIB/registry.py" go "$T_NET/www/go" module
    echo 'module project' >gomod/go.mod
    export GOPROXY=$site/go GONOSUMDB='*' GOFLAGS=-modcacherw GOPATH=$T_TMP/go GOCACHE=$T_TMP/go-cache GOTOOLCHAIN=local
    allow=$site/go/ want='package hello // from a proxy'
    result() { cat "$GOPATH/pkg/mod/example.org/hello@v1.0.0/hello.go" 2>/dev/null; }
    fresh() { rm -rf "$GOPATH"; }
    both_ways go mod download example.org/hello@v1.0.0
fi

# --- Maven, Gradle ---

if client 'Maven' mvn --version; then
    maven_repository maven
    allow=$site/maven/ want=$(<"$T_NET/www/maven/t/lib/1/lib-1.pom")
    result() { cat repository/t/lib/1/lib-1.pom 2>/dev/null; }
    fresh() { rm -rf repository; }
    # What needs no plugin: the parent is fetched, and the model is validated.
    both_ways mvn -q -B -f maven/pom.xml -Duser.home="$HOME" -Dmaven.repo.local="$PWD/repository" -N validate
fi

# The wrapper is the real one, as npm has it in a template; what it fetches stands in for a distribution.
android=$NPM/node_modules/@react-native-community/template/template/android
gradle_version() { sed -nE 's/^distributionUrl.*gradle-([0-9.]+)-.*/\1/p' "$android/gradle/wrapper/gradle-wrapper.properties"; }
if client "Gradle's wrapper" gradle_version; then
    mkdir -p gradle/wrapper launcher "$T_NET/www/gradle"
    cp "$android/gradlew" .
    cp "$android/gradle/wrapper/gradle-wrapper.jar" gradle/wrapper/
    cat >gradle/wrapper/gradle-wrapper.properties <<END2
distributionBase=GRADLE_USER_HOME
distributionPath=wrapper/dists
distributionUrl=$site/gradle/gradle-0.1-bin.zip
networkTimeout=10000
validateDistributionUrl=true
zipStoreBase=GRADLE_USER_HOME
zipStorePath=wrapper/dists
END2
    cat >launcher/GradleMain.java <<'END2'
package org.gradle.launcher;

public class GradleMain {
    public static void main(String[] args) {
        System.out.println("a distribution");
    }
}
END2
    javac -d launcher launcher/GradleMain.java
    python3 - "$T_NET/www/gradle/gradle-0.1-bin.zip" <<'END2'
import io, sys, zipfile
jar = io.BytesIO()
with zipfile.ZipFile(jar, "w") as z:
    z.write("launcher/org/gradle/launcher/GradleMain.class", "org/gradle/launcher/GradleMain.class")
with zipfile.ZipFile(sys.argv[1], "w") as z:
    for folder in "", "bin/", "lib/":
        z.writestr(f"gradle-0.1/{folder}", "")
    z.writestr("gradle-0.1/bin/gradle", "#!/bin/sh\n")
    for name in "gradle-launcher", "gradle-gradle-cli-main":  # of older and newer wrappers
        z.writestr(f"gradle-0.1/lib/{name}-0.1.jar", jar.getvalue())
END2
    export GRADLE_USER_HOME=$PWD/gradle-home
    allow=$site/gradle/ want='a distribution'
    result() { tail -n 1 <<<"$out"; }
    fresh() { rm -rf "$GRADLE_USER_HOME"; }
    both_ways sh gradlew help
fi

# --- gem ---

if client 'gem' gem --version; then
    mkdir -p gem/lib "$T_NET/www/gems/gems"
    echo '# a gem' >gem/lib/hello.rb
    cat >gem/hello.gemspec <<'END2'
Gem::Specification.new do |s|
  s.name, s.version, s.summary, s.authors, s.files = "hello", "1.0.0", "a gem", ["test"], ["lib/hello.rb"]
end
END2
    (cd gem && gem build -q hello.gemspec && mv hello-1.0.0.gem "$T_NET/www/gems/gems/" && gem generate_index -d "$T_NET/www/gems") \
        >gem.log 2>&1 || sed 's/^/# gem: /' gem.log
    allow=$site/gems/ want='# a gem'
    result() { cat gems/gems/hello-1.0.0/lib/hello.rb 2>/dev/null; }
    fresh() { rm -rf gems "$HOME"/{.gem,.cache,.local}; }
    both_ways gem install hello --no-document --install-dir gems --clear-sources --source $site/gems/
fi

t_done
