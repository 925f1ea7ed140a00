# repositories.sh: what package managers fetch from, in the test internet's web server; after lib.sh. $site is its URL.
# shellcheck shell=bash disable=SC2154 # variables of the test files

apt_repository() { # at $site/apt, with the package "jailed"
    local from
    from=$(mktemp -d "$T_TMP/jailed.XXXXXX")
    install -d -m 755 "$T_NET/www/apt" "$from/package/DEBIAN"
    printf '%s\n' 'Package: jailed' 'Version: 1.0' 'Architecture: all' 'Maintainer: test <test@example.org>' 'Description: a package' \
        >"$from/package/DEBIAN/control"
    dpkg-deb --root-owner-group --build "$from/package" "$T_NET/www/apt/jailed.deb" >/dev/null
    {
        dpkg-deb --field "$T_NET/www/apt/jailed.deb"
        printf '%s\n' 'Filename: ./jailed.deb' "Size: $(stat -c %s "$T_NET/www/apt/jailed.deb")" \
            "SHA256: $(sha256sum "$T_NET/www/apt/jailed.deb" | cut -d ' ' -f 1)"
    } >"$T_NET/www/apt/Packages"
}

maven_repository() { # FOLDER: at $site/maven, with the POM t:lib:1, which that of FOLDER has as its parent
    local folder=$T_NET/www/maven/t/lib/1
    install -d "$folder" "$1"
    printf '%s' '<project><modelVersion>4.0.0</modelVersion><groupId>t</groupId><artifactId>lib</artifactId><version>1</version><packaging>pom</packaging></project>' \
        >"$folder/lib-1.pom"
    sha1sum "$folder/lib-1.pom" | cut -d ' ' -f 1 >"$folder/lib-1.pom.sha1"
    cat >"$1/pom.xml" <<END
<project><modelVersion>4.0.0</modelVersion><groupId>t</groupId><artifactId>app</artifactId><version>1</version><packaging>pom</packaging>
<parent><groupId>t</groupId><artifactId>lib</artifactId><version>1</version><relativePath/></parent>
<repositories><repository><id>central</id><url>$site/maven</url></repository></repositories></project>
END
}
