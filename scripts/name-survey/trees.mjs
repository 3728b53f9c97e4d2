// A tree of the kernel's source as a stream of a tar file, from a directory, a git repository whose HEAD holds it, or a package of Debian.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

export function opened(place, rooms) {
  const command = place.endsWith(".deb")
    ? `dpkg-deb --fsys-tarfile '${place}' | tar -xO --wildcards './usr/src/linux-source-*.tar.xz' | xz -dc`
    : existsSync(join(place, "Makefile"))
      ? `tar -C '${place}' -c ${rooms.filter((d) => existsSync(join(place, d))).join(" ")}`
      : `cd '${place}' && for d in ${rooms.join(" ")}; do git archive --prefix=$d/ HEAD:$d 2>/dev/null; done`;
  return spawn("sh", ["-c", command], { stdio: ["ignore", "pipe", "inherit"] }).stdout;
}
