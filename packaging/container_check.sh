#!/bin/sh
# Builds packaging/Containerfile without a registry of images and runs what README, help and docs show in the container: nobody's user, a
# root that cannot be written, no network. The two images that the Containerfile starts from are made of Debian's packages and this
# machine's Node. Usage, as root: packaging/container_check.sh [DIR]   (DIR keeps the images; default: a temporary directory)
# The quick commands are run; with DOCUMENTED=all in the environment those too that take seconds to minutes.
# Ends with 77 and one sentence where it cannot be tried.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
skip() {
  echo "skipped: $1" >&2
  exit 77
}
[ "$(id -u)" = 0 ] || skip "it mounts and unpacks as root; run it as root"
for tool in podman crun debootstrap apt-get dpkg-deb unshare npm node; do
  command -v $tool >/dev/null || skip "$tool is not installed (Debian: podman crun debootstrap)"
done
[ -d "$here/node_modules/vitest" ] || skip "the tests are not installed; run: npm ci"
keep=${1:-}
dir=${keep:-$(mktemp -d)}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
# Storage of its own, and a tree of control groups as podman wants it, in a mount namespace of its own.
cat >"$dir/podman" <<EOF
#!/bin/sh
exec unshare -m sh -c '
mount --make-rprivate /
if [ -d /sys/fs/cgroup/unified ]; then umount -R -l /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup; fi
exec podman --root "$dir/store" --runroot "$dir/run" --runtime crun "\$@"' podman "\$@"
EOF
chmod +x "$dir/podman"
cleanup() {
  "$dir/podman" rm -a -f >/dev/null 2>&1 || :
  if [ -z "$keep" ]; then
    "$dir/podman" rmi -a -f >/dev/null 2>&1 || :
    rm -rf "$dir"
  fi
}
trap cleanup EXIT
image_there() { "$dir/podman" image exists "localhost/$1" 2>/dev/null; }

if ! image_there skblab-builder; then
  echo "builder: Debian, this machine's Node and npm, and a cache of what npm ci needs"
  root=$dir/builder
  rm -rf "$root"
  debootstrap --variant=minbase bookworm "$root" >"$dir/debootstrap.log" 2>&1 || skip "debootstrap: $(tail -n 1 "$dir/debootstrap.log")"
  mkdir -p "$root/usr/local/bin" "$root/usr/local/lib/node_modules" "$root/usr/local/etc" "$dir/lock"
  cp "$(node -p process.execPath)" "$root/usr/local/bin/node"
  cp -a "$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")" "$root/usr/local/lib/node_modules/npm"
  ln -sf ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"
  cp "$here/package.json" "$here/package-lock.json" "$dir/lock"
  (cd "$dir/lock" && npm ci --ignore-scripts --no-audit --no-fund --prefer-offline --cache "$root/npm-cache" >/dev/null)
  printf 'offline=true\ncache=/npm-cache\nupdate-notifier=false\n' >"$root/usr/local/etc/npmrc"
  tar -C "$root" -c . | "$dir/podman" import - localhost/skblab-builder >/dev/null
  rm -rf "$root" "$dir/lock"
fi
if ! image_there skblab-base; then
  echo "base: the C and C++ libraries of Debian and this machine's Node; no shell"
  root=$dir/base
  rm -rf "$root" "$dir/debs"
  mkdir -p "$dir/debs" "$root/nodejs/bin" "$root/etc"
  (cd "$dir/debs" && apt-get download -qq libc6 libgcc-s1 libstdc++6 base-files tzdata netbase 2>/dev/null) ||
    skip "Debian's packages cannot be fetched"
  for deb in "$dir"/debs/*.deb; do dpkg-deb -x "$deb" "$root"; done
  cp "$(node -p process.execPath)" "$root/nodejs/bin/node"
  printf 'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n' >"$root/etc/passwd"
  printf 'root:x:0:\nnonroot:x:65532:\n' >"$root/etc/group"
  tar -C "$root" -c . | "$dir/podman" import - localhost/skblab-base >/dev/null
  rm -rf "$root" "$dir/debs"
fi
echo "building packaging/Containerfile without a network"
unshare -n "$dir/podman" build --isolation=chroot --network=host --pull=never -f "$here/packaging/Containerfile" \
  --build-arg BUILDER=localhost/skblab-builder --build-arg BASE=localhost/skblab-base -t localhost/skblab "$here" >"$dir/build.log" 2>&1 ||
  { tail -n 20 "$dir/build.log" >&2; exit 1; }
"$dir/podman" images --format '{{.Repository}}: {{.Size}}' localhost/skblab

# `skblab` as a user of the container has it: the directory that one is in can be written, the checkout can be read, nothing else is there.
cat >"$dir/skblab" <<EOF
#!/bin/sh
chmod -R a+rwX "\$PWD" 2>/dev/null || :
exec "$dir/podman" run --rm -i --pull=never --cgroups=disabled --network=none --read-only --cap-drop=all --security-opt=no-new-privileges \
  --ulimit nofile=1024:1024 --ulimit nproc=4096:4096 -v "$here:$here:ro" -v "\$PWD:\$PWD" -w "\$PWD" \
  --env COLUMNS --env NO_COLOR --env LANG=C.UTF-8 localhost/skblab "\$@"
EOF
chmod +x "$dir/skblab"
who=$("$dir/podman" run --rm --pull=never --cgroups=disabled --network=none --read-only --ulimit nofile=1024:1024 --ulimit nproc=4096:4096 \
  --entrypoint /nodejs/bin/node localhost/skblab -e '
const { writeFileSync } = require("node:fs");
const can = ["/", "/app", "/app/dist"].filter((d) => { try { writeFileSync(d + "/x", ""); return true; } catch { return false; } });
console.log(`user ${process.getuid()}, can write: ${can.join(" ") || "none of / /app /app/dist"}`);')
echo "$who"
[ "$who" = "user 65532, can write: none of / /app /app/dist" ] || exit 1
cd "$here"
DOCUMENTED_TOOL=$dir/skblab node_modules/.bin/vitest run src/cli/documented.test.ts
