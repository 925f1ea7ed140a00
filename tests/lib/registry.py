#!/usr/bin/env python3
"""registry.py npm DIR URL FOLDER...    an npm registry of static files, with each FOLDER (a package.json and more) in it
registry.py npm-many DIR URL NUMBER     the same with that many tiny packages, many-0000 and on; prints the
                                        package-lock.json of a project that depends on all of them
registry.py cargo INDEX CRATES FOLDER.. a sparse index and the crates of it; FOLDER: a Cargo.toml and more
registry.py go DIR FOLDER...            a proxy for modules of Go, v1.0.0 of each; FOLDER: a go.mod and more

DIR, INDEX and CRATES are served as they are; URL is where DIR will be found. Of npm, DIR/NAME/index.json is what the
registry says of a package, and DIR/NAME/-/ has its tarballs.
"""
import base64
import hashlib
import io
import json
import os
import re
import sys
import tarfile
import zipfile


def pack(files, root):
    """A .tar.gz of {path: bytes}, all below root."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1, format=tarfile.USTAR_FORMAT) as tar:
        for path, data in sorted(files.items()):
            info = tarfile.TarInfo(f"{root}/{path}")
            info.size, info.mode = len(data), 0o644
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def read_folder(folder):
    files = {}
    for at, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(at, name)
            with open(path, "rb") as f:
                files[os.path.relpath(path, folder)] = f.read()
    return files


def write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)


def add_npm(folder, url, files):
    manifest = json.loads(files["package.json"])
    name, version = manifest["name"], manifest["version"]
    tarball = pack(files, "package")
    file = f"{name.rsplit('/', 1)[-1]}-{version}.tgz"
    write(os.path.join(folder, name, "-", file), tarball)
    entry = dict(manifest, _id=f"{name}@{version}", dist={
        "tarball": f"{url.rstrip('/')}/{name}/-/{file}", "shasum": hashlib.sha1(tarball).hexdigest(),
        "integrity": "sha512-" + base64.b64encode(hashlib.sha512(tarball).digest()).decode()})
    if "install" in manifest.get("scripts", {}) or "postinstall" in manifest.get("scripts", {}):
        entry["hasInstallScript"] = True
    document = {"_id": name, "name": name, "dist-tags": {"latest": version}, "versions": {version: entry}}
    write(os.path.join(folder, name, "index.json"), json.dumps(document).encode())
    return {"version": version, "resolved": entry["dist"]["tarball"], "integrity": entry["dist"]["integrity"]}


def add_cargo(index, crates, files):
    text = files["Cargo.toml"].decode()
    name = re.search(r'^name = "(.*)"', text, re.M).group(1)
    version = re.search(r'^version = "(.*)"', text, re.M).group(1)
    crate = pack(files, f"{name}-{version}")
    write(os.path.join(crates, "crates", name, f"{name}-{version}.crate"), crate)
    line = {"name": name, "vers": version, "deps": [], "cksum": hashlib.sha256(crate).hexdigest(), "features": {},
            "yanked": False}
    write(os.path.join(index, name[:2], name[2:4], name), json.dumps(line).encode() + b"\n")


def add_go(folder, files):
    """What the go command asks a proxy for (https://go.dev/ref/mod#goproxy-protocol)."""
    name = re.search(r"^module (.*)", files["go.mod"].decode(), re.M).group(1)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as z:
        for path, data in sorted(files.items()):
            z.writestr(f"{name}@v1.0.0/{path}", data)
    at = os.path.join(folder, name, "@v")
    write(os.path.join(at, "list"), b"v1.0.0\n")
    write(os.path.join(at, "v1.0.0.info"), b'{"Version": "v1.0.0", "Time": "2020-01-01T00:00:00Z"}')
    write(os.path.join(at, "v1.0.0.mod"), files["go.mod"])
    write(os.path.join(at, "v1.0.0.zip"), archive.getvalue())


def main(kind, *arguments):
    if kind == "npm":
        for folder in arguments[2:]:
            add_npm(arguments[0], arguments[1], read_folder(folder))
    elif kind == "npm-many":
        packages = {"": {"name": "project", "version": "1.0.0", "dependencies": {}}}
        for i in range(int(arguments[2])):
            name = f"many-{i:04}"
            manifest = {"name": name, "version": "1.0.0"}
            files = {"package.json": json.dumps(manifest).encode(), "index.js": b"module.exports = %d;\n" % i}
            packages["node_modules/" + name] = add_npm(arguments[0], arguments[1], files)
            packages[""]["dependencies"][name] = "1.0.0"
        print(json.dumps(dict(packages[""], lockfileVersion=3, requires=True, packages=packages)))
    elif kind == "go":
        for folder in arguments[1:]:
            add_go(arguments[0], read_folder(folder))
    else:
        for folder in arguments[2:]:
            add_cargo(arguments[0], arguments[1], read_folder(folder))


main(*sys.argv[1:])
