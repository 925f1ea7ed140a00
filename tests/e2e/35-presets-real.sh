#!/usr/bin/env bash
# The presets of npm and apt against what these are configured with on this machine.
# timeout: 600
. "$(dirname "$0")/../lib/lib.sh"
in_real_network
mkdir home project
export HOME=$T_TMP/home npm_config_cache=$T_TMP/cache npm_config_update_notifier=false npm_config_fund=false npm_config_audit=false
unset CIJAIL_ENDPOINTS
cd project

t_case 'npm install with its preset, in a project that names another registry'
npm init -y >/dev/null
T_LIMIT=300 run cijail --fail-on-deny -p npm -- npm install express
t_status 0
t_true test -e node_modules/express/package.json
rm -rf "$T_TMP/cache" node_modules package-lock.json
echo 'registry=https://attacker.invalid/' >.npmrc
T_LIMIT=100 run cijail -p npm -- npm install express --fetch-retries=0
t_assert 'npm succeeded' test "$status" != 0
t_match "$err" 'deny .*attacker\.invalid'

t_case 'apt-get download with its preset'
package=hello
apt-cache show "$package" >/dev/null 2>&1 || package=$(apt-cache pkgnames | grep -xE 'hostname|sed|grep|gzip|bsdutils' | head -n 1)
T_LIMIT=200 run cijail --fail-on-deny -p apt -- apt-get download -q -o APT::Sandbox::User= "$package"
t_status 0
t_true test -e "$(echo *.deb)"
rm -f ./*.deb
T_LIMIT=200 run cijail -p npm -- apt-get download -q -o APT::Sandbox::User= -o Acquire::Retries=0 "$package"
t_assert 'apt-get succeeded' test "$status" != 0
t_match "$err" 'deny'

t_done
