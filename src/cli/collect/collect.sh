#!/bin/sh
# skblab collect: reads what this machine can say of its memory for packets and writes it to standard output as a tar archive.
# Needs a POSIX shell and the tools of busybox, nothing else. It changes nothing on the machine and writes nothing to its disks.
#   sh collect.sh > host.tar          SKBLAB_SECONDS=10 (between two samples)  SKBLAB_BYTES=4000000 (of one file)  SKBLAB_ANONYMOUS=1
#   SKBLAB_PATIENCE=20 (seconds for one command)  SKBLAB_TOTAL_SECONDS=300  SKBLAB_TOTAL_BYTES=64000000 (what is left out then is listed)
# Run it as root where you can: what could not be read is listed in collect/unread.txt with the reason.
set -u
LC_ALL=C
export LC_ALL
PATH="$PATH:/usr/sbin:/sbin:/usr/local/sbin"

seconds=${SKBLAB_SECONDS:-10}
limit=${SKBLAB_BYTES:-4000000}
anonymous=${SKBLAB_ANONYMOUS:-@ANONYMOUS@}
patience=${SKBLAB_PATIENCE:-20}
most_seconds=${SKBLAB_TOTAL_SECONDS:-300}
most_bytes=${SKBLAB_TOTAL_BYTES:-64000000}
case $seconds$limit$patience$most_seconds$most_bytes in *[!0-9]*)
  echo 'skblab collect: SKBLAB_SECONDS, SKBLAB_BYTES, SKBLAB_PATIENCE, SKBLAB_TOTAL_SECONDS and SKBLAB_TOTAL_BYTES are whole numbers.' >&2
  exit 2 ;;
esac
if [ -t 1 ]; then
  echo 'skblab collect: this writes a tar archive to standard output. Send it to a file: sh collect.sh > host.tar' >&2
  exit 2
fi

has() { command -v "$1" >/dev/null 2>&1; }

host=$(uname -n 2>/dev/null || cat /proc/sys/kernel/hostname 2>/dev/null || echo host)
domain=$(hostname -d 2>/dev/null || awk '$1 == "search" || $1 == "domain" { print $2; exit }' /etc/resolv.conf 2>/dev/null)
salt=
# What is also a word of the kernel's texts, a module or an interface: replaced wherever it stands it would spoil them.
a_word() {
  case $1 in
    vm | net | kernel | fs | dev | user | debug | host | localhost | node | none | '(none)' | linux | Linux | page | pages | order | mode | memory | mem) ;;
    free | min | low | high | active | inactive | dirty | slab | zone | cpu | swap | cache | total | task | trace | call | irq | pci | usb | lo) ;;
    local | localdomain | lan | home | internal) ;;
    *) [ -e "/sys/module/$1" ] || [ -e "/sys/class/net/$1" ] ;;
  esac
}
# Such a host name is replaced only where a host name must stand: the archive's folder, the journal's second column, lines that state it.
hidden=$host
[ -z "$host" ] || ! a_word "$host" || hidden=
[ -z "$domain" ] || ! a_word "$domain" || domain=
if [ "$anonymous" = 1 ]; then
  # One salt for the whole archive: a name has one replacement in all files, and another one in the next archive.
  salt=$( { cat /proc/sys/kernel/random/uuid; date; } 2>/dev/null | tr -cd 'A-Za-z0-9')
fi

# Replaces the host name, users' home directories, MAC and IP addresses; the same value gets the same replacement. Loopback, unspecified and
# broadcast addresses stay, and so do numbers that only look like addresses because they are parts of longer words.
hide='
# Twice, so that neighbours have no neighbours for replacements.
function hash(text) { return fold(fold(text, seed) text, seed) }
function fold(text, from,   h, i) {
  h = from
  for (i = 1; i <= length(text); i++) h = (h * 31 + ord[substr(text, i, 1)]) % 2147483647
  return h
}
function ip4(text,   h, part) {
  if (text ~ /^(127\.|0\.0\.0\.0$|255\.)/) return text
  split(text, part, ".")
  if (part[1] > 255 || part[2] > 255 || part[3] > 255 || part[4] > 255) return text
  h = hash(text)
  return "10." int(h / 65536) % 256 "." int(h / 256) % 256 "." h % 256
}
function mac(text,   h, g) {
  if (tolower(text) ~ /^(00:00:00:00:00:00|ff:ff:ff:ff:ff:ff)$/) return text
  h = hash(tolower(text)); g = hash(tolower(text) "+")
  return sprintf("02:%02x:%02x:%02x:%02x:%02x", h % 256, int(h / 256) % 256, int(h / 65536) % 256, g % 256, int(g / 256) % 256)
}
# A MAC as Cisco writes it: three groups of four digits.
function groups(text,   at, six) {
  gsub(/[.]/, "", text)
  for (at = 1; at < 12; at += 2) six = six (at > 1 ? ":" : "") substr(text, at, 2)
  text = mac(six)
  gsub(/:/, "", text)
  return substr(text, 1, 4) "." substr(text, 5, 4) "." substr(text, 9)
}
# Octets with marks between them: a MAC, two and the type behind them (a header), an EUI-64, the 20 of InfiniBand. Fewer than six are a time or a bus.
function octets(text, mark,   n, at, out, six) {
  n = int((length(text) + 1) / 3)
  if (n < 6) return text
  gsub(mark, ":", text)
  for (at = 0; at < n; at += 6) {
    six = substr(text, at * 3 + 1, 17)
    out = out (at ? ":" : "") (n == 14 && at == 12 ? six : substr(mac(six), 1, length(six)))
  }
  if (mark != ":") gsub(":", mark, out)
  return out
}
function ip6(text,   h, g, tail) {
  if (text ~ /[^:]:$/) { tail = ":"; text = substr(text, 1, length(text) - 1) }
  if (text == "::" || text == "::1" || text !~ /::/ && gsub(/:/, ":", text) != 7) return text tail
  h = hash(tolower(text)); g = hash(tolower(text) "+")
  return sprintf("fd00::%x:%x:%x", h % 65536, int(h / 65536) % 32768, g % 65536) tail
}
# What may stand before and behind an address: a port and the end of a sentence may, one more number of a version may not.
function opens(kind, c, earlier) {
  if (c == ":") return kind == "ip4" || kind == "mac" && earlier !~ /[0-9A-Fa-f:]/
  return c !~ /[0-9A-Za-z_.]/
}
function closes(kind, c, next_one) {
  if (c == ".") return next_one !~ /[0-9]/
  if (c == ":") return kind == "ip4" || next_one !~ /[0-9A-Fa-f:]/
  return c !~ /[0-9A-Za-z_]/
}
function replaced(line, form, kind, mark,   out, found, rest) {
  out = ""
  while (match(line, form)) {
    found = substr(line, RSTART, RLENGTH)
    out = out substr(line, 1, RSTART - 1)
    rest = substr(line, RSTART + RLENGTH)
    if (kind == "user") { split(found, at, "/"); out = out "/home/user" hash(at[3]) % 10000 }
    else if (kind == "acct") { split(found, at, "\""); out = out "acct=\"user" hash(at[2]) % 10000 "\"" }
    else if (!opens(kind, substr(out, length(out), 1), substr(out, length(out) - 1, 1)) ||
      !closes(kind, substr(rest, 1, 1), substr(rest, 2, 1))) out = out found
    else if (kind == "mac") out = out (mark == "." ? groups(found) : octets(found, mark))
    else if (kind == "ip4") out = out ip4(found)
    else out = out ip6(found)
    line = rest
  }
  return out line
}
function word(line, old, new,   out, i, last) {
  out = ""
  last = ""
  while (old != "" && (i = index(line, old)) > 0) {
    if (i > 1) last = substr(line, i - 1, 1)
    out = out substr(line, 1, i - 1) (last ~ /[0-9A-Za-z_-]/ || substr(line, i + length(old), 1) ~ /[0-9A-Za-z_-]/ ? old : new)
    line = substr(line, i + length(old))
    last = substr(old, length(old))
  }
  return out line
}
# Replaces a text where it stands inside a form.
function inside(line, form, old, new,   out, found, i) {
  out = ""
  while (match(line, form)) {
    found = substr(line, RSTART, RLENGTH)
    out = out substr(line, 1, RSTART - 1)
    line = substr(line, RSTART + RLENGTH)
    if ((i = index(found, old)) > 0) found = substr(found, 1, i - 1) new substr(found, i + length(old))
    out = out found
  }
  return out line
}
# The host name where lines state it: systemd, the IP autoconfiguration and its parameter, the words of uname -a.
function stated(line,   new) {
  new = "host" hash(name) % 10000
  # A name at the end of a line ends with a space too.
  line = line " "
  line = inside(line, "[Hh]ostname( set)? to <[^>]*>", "<" name ">", "<" new ">")
  line = inside(line, " host=[^ ,]*,", "=" name ",", "=" new ",")
  line = inside(line, "hostname=[^ ]* ", "=" name " ", "=" new " ")
  line = inside(line, "ip=[^ ]*", ":" name ":", ":" new ":")
  line = inside(line, "ip=[^ ]* ", ":" name " ", ":" new " ")
  line = inside(line, "Linux [^ ]+ [0-9]+[.][0-9][^ ]* #[0-9]", " " name " ", " " new " ")
  return substr(line, 1, length(line) - 1)
}
# The second column of a journal is the host, whatever it is called.
function column(line,   at, called) {
  if (!match(line, /^\[ *[0-9]+[.][0-9]+\] [^ ]+ /)) return line
  called = substr(line, 1, RLENGTH - 1)
  at = index(called, "] ") + 2
  called = substr(called, at)
  return substr(line, 1, at - 1) "host" hash(called) % 10000 substr(line, at + length(called))
}
BEGIN { for (n = 1; n < 256; n++) ord[sprintf("%c", n)] = n; seed = fold(salt, 7); pair = "[0-9A-Fa-f][0-9A-Fa-f]" }
# The bytes of a packet (skb_dump) hold addresses and what was sent.
/skb (headroom|linear|tailroom|frag|fraglist): *[0-9a-f]+: / { sub(/: [0-9a-f][0-9a-f] .*/, ": (bytes of a packet)") }
{
  line = stated(journal ? column($0) : $0)
  line = word(word(line, host, "host" hash(host) % 10000), domain, "example.invalid")
  line = replaced(line, pair "(:" pair ")+", "mac", ":")
  line = replaced(line, pair "(-" pair ")+", "mac", "-")
  four = pair pair
  line = replaced(line, four "[.]" four "[.]" four, "mac", ".")
  if (line ~ /ll header: /) line = replaced(line, pair "( " pair ")+", "mac", " ")
  line = replaced(line, "[0-9][0-9]*[.][0-9][0-9]*[.][0-9][0-9]*[.][0-9][0-9]*", "ip4")
  line = replaced(line, "[0-9A-Fa-f]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:]*", "ip6")
  line = replaced(line, "acct=\"[^\"]*\"", "acct")
  print replaced(line, "/home/[^/ :\"]+", "user")
}'

tidy() {
  if [ "$anonymous" != 1 ]; then cat; return; fi
  case ${name:-} in journal-*) in_journal=1 ;; *) in_journal=0 ;; esac
  awk -v host="$hidden" -v name="$host" -v journal="$in_journal" -v domain="$domain" -v salt="$salt" "$hide"
}

# Runs a command for at most $patience seconds where the machine can stop it.
if has timeout; then
  # Old busybox wants -t before the seconds.
  if timeout 5 true 2>/dev/null; then bounded() { timeout "$patience" "$@"; }
  elif timeout -t 5 true 2>/dev/null; then bounded() { timeout -t "$patience" "$@"; }
  else bounded() { "$@"; }
  fi
else bounded() { "$@"; }
fi

# Seconds since boot: the time of day may be set while we run.
look_at_clock() {
  { read -r passed rest </proc/uptime; } 2>/dev/null || passed=0
  passed=${passed%%.*}
}
look_at_clock
began=$passed
taken=0
unread=
manifest=
newline='
'

# member NAME TEXT: one file of the archive. The sum in a header is that of its bytes, with blanks where the sum stands. As much as can be is done by
# the shell itself: a small machine takes longer to start a program than to run it.
member() {
  name=$1 text=$2 size=${#2}
  # Eight blanks for the sum, the type "0", "ustar" and "00" are in every header.
  sum=$(printf '%s000064400000000000000%011o%011o' "$name" "$size" "$now" | awk "$bytes")
  printf '%s' "$name"
  nulls $((100 - ${#name}))
  printf '0000644\0000000000\0000000000\000%011o\000%011o\000%06o\000 0' "$size" "$now" "$sum"
  nulls 100
  printf 'ustar\00000'
  nulls 247
  printf '%s' "$text"
  nulls $(((512 - size % 512) % 512))
}
nulls() {
  zeros=
  left=$1
  while [ "$left" -ge 8 ]; do
    zeros="$zeros\\000\\000\\000\\000\\000\\000\\000\\000"
    left=$((left - 8))
  done
  while [ "$left" -ge 1 ]; do
    zeros="$zeros\\000"
    left=$((left - 1))
  done
  # The text is the format: its escapes are what is printed.
  printf "$zeros"
}
bytes='BEGIN { for (n = 32; n < 127; n++) ord[sprintf("%c", n)] = n; sum = 256 + 48 + 117 + 115 + 116 + 97 + 114 + 96 }
{ for (i = 1; i <= length($0); i++) sum += ord[substr($0, i, 1)] }
END { print sum }'

# take NAME COMMAND...: the output of a command as host/NAME; what fails or says nothing is noted. A text that is longer than the limit is cut at
# its front (--tail, for logs: the end is what matters) or at its end, and the manifest says so.
take() {
  keep=head
  if [ "$1" = --tail ]; then keep=tail; shift; fi
  name=$1
  shift
  look_at_clock
  if [ $((passed - began)) -ge "$most_seconds" ]; then unread="$unread$name: the time was used up ($most_seconds s)$newline"; return; fi
  if [ "$taken" -ge "$most_bytes" ]; then unread="$unread$name: the size was used up ($most_bytes bytes)$newline"; return; fi
  text=$( { bounded "$@" 2>/dev/null; echo "skblab-exit $?"; } | $keep -c $((limit + 64)) | tidy; echo .)
  text=${text%.}
  code=${text##*skblab-exit }
  code=${code%"$newline"}
  case $text in *skblab-exit\ *) text=${text%skblab-exit *} ;; *) code='?' ;; esac
  cut=
  if [ "${#text}" -ge "$limit" ]; then
    cut=" cut at $limit bytes, the ${keep} kept"
    [ "$code" != '?' ] || code=0
  fi
  if [ -z "$text" ]; then
    [ "$code" = 0 ] && reason='it is empty' || reason="exit status $code"
    unread="$unread$name: $* gave nothing ($reason)$newline"
    return
  fi
  [ "$code" = 0 ] || unread="$unread$name: $* ended with status $code; what it wrote is kept$newline"
  manifest="$manifest$name: $*$cut$newline"
  taken=$((taken + ${#text}))
  member "$folder/$name" "$text"
}
# file PATH: a file of /proc or /sys under its own path.
file() {
  if [ ! -e "$1" ]; then
    why=
    case $1 in "$debug"/*) [ -n "$(ls "$debug" 2>/dev/null)" ] || why=' (debugfs is not mounted, or not for this user)' ;; esac
    unread="$unread$1: there is no such file$why$newline"
  elif ! head -c 1 "$1" >/dev/null 2>&1; then unread="$unread$1: it may not be read (are you root?)$newline"
  else take "${1#/}" cat "$1"
  fi
}

folder=$host
[ "$anonymous" != 1 ] || folder=$(hidden=$host; printf '%s\n' "$host" | tidy)
folder=$(printf '%s' "$folder" | tr -c 'A-Za-z0-9._-' _ | head -c 40)
now=$(date +%s 2>/dev/null || echo 0)
case $now in *[!0-9]* | '') now=0 ;; esac
debug=/sys/kernel/debug

interfaces=
for path in /sys/class/net/*; do
  [ -e "$path" ] && [ "${path##*/}" != lo ] && interfaces="$interfaces ${path##*/}"
done

sample() {
  for f in buddyinfo pagetypeinfo zoneinfo meminfo vmstat slabinfo net/dev net/softnet_stat net/sockstat net/snmp net/netstat net/protocols pressure/memory; do
    if [ "$1" = 1 ]; then file "/proc/$f"; else [ ! -r "/proc/$f" ] || take "sample$1/proc/$f" cat "/proc/$f"; fi
  done
  prefix=
  [ "$1" = 1 ] || prefix="sample$1/"
  # busybox's ip knows neither -s nor -d.
  if has ip; then take "${prefix}ip-s-d-link.txt" sh -c 'ip -s -d link 2>/dev/null || ip -s link 2>/dev/null || ip link'; fi
  if has ethtool; then
    for i in $interfaces; do take "${prefix}ethtool-S-$i.txt" ethtool -S "$i"; done
  fi
  if has ynl; then
    for ask in page-pool-get page-pool-stats-get; do
      take "$prefix$ask.json" ynl --family netdev --dump "$ask" --output-json
    done
  fi
  take "${prefix}uptime.txt" cat /proc/uptime
}

started=$(cat /proc/uptime 2>/dev/null)
file /proc/version
file /proc/cmdline
file /proc/cpuinfo
file /proc/sys/kernel/random/boot_id
take os-release.txt cat /etc/os-release
# The kernel's log first, while it is whole: of this boot, of the last, and what survived a crash.
if has journalctl && journalctl -k -b -n 1 >/dev/null 2>&1; then
  take --tail journal-this-boot.txt journalctl -k -b -o short-monotonic --no-pager
  take --tail journal-last-boot.txt journalctl -k -b -1 -o short-monotonic --no-pager
fi
take --tail dmesg.txt dmesg
for f in /sys/fs/pstore/* /var/lib/systemd/pstore/*; do
  [ -f "$f" ] && take --tail "pstore/${f##*/}" cat "$f"
done

sample 1
first=$(cat /proc/uptime 2>/dev/null)

for f in vmallocinfo; do
  # By caller, since the file itself can be huge: bytes, number, caller.
  take vmallocinfo-by-caller.txt awk '{ bytes[$3] += $2; n[$3]++ } END { for (c in bytes) print bytes[c], n[c], c }' "/proc/$f"
done
file /proc/swaps
file /proc/modules
take sys-kernel-slab.txt sh -c 'cd /sys/kernel/slab && for c in skbuff* kmalloc* :* TCP* UDP* sock_inode_cache; do
  [ -d "$c" ] && [ ! -L "$c" ] && for f in object_size slab_size order objs_per_slab objects slabs partial aliases sanity_checks poison red_zone store_user; do
    [ ! -r "$c/$f" ] || read -r v <"$c/$f" && echo "$c/$f: $v"; done; done
  ls -l | awk "\$(NF - 1) == \"->\" { print \$(NF - 2), \"->\", \$NF }"; true'
file $debug/extfrag/extfrag_index
file $debug/extfrag/unusable_index
file $debug/page_owner
if has sysctl; then
  take sysctl.txt sysctl vm net.core net.ipv4.tcp_mem net.ipv4.tcp_rmem net.ipv4.tcp_wmem net.ipv4.udp_mem net.ipv4.tcp_max_orphans net.netfilter
else
  take sysctl.txt sh -c 'for f in /proc/sys/vm/* /proc/sys/net/core/* /proc/sys/net/ipv4/tcp_*mem /proc/sys/net/ipv4/udp_mem; do [ -r "$f" ] && [ -f "$f" ] && v=$(cat "$f" 2>/dev/null) && n=${f#/proc/sys/} && echo "$n = $v" | tr / .; done'
fi
take transparent_hugepage.txt grep -rs '' /sys/kernel/mm/transparent_hugepage
for i in $interfaces; do
  if has ethtool; then
    for o in i k g l c; do take "ethtool-$o-$i.txt" ethtool "-$o" "$i"; done
  else unread="${unread}ethtool of $i: the machine has no ethtool$newline"
  fi
  take "sys/class/net/$i/device.txt" sh -c 'readlink -f "$1/device/driver"; cat "$1/mtu" "$1/device/vendor" "$1/device/device"' sh "/sys/class/net/$i"
done
# bpftool knows no page pools; what it can say is which interface runs an XDP program, and that decides how its buffers lie.
if has bpftool; then take bpftool-net.json bpftool -j net show; fi
has ynl || unread="${unread}page pools by netlink: the machine has no ynl$newline"
if [ -r /sys/kernel/btf/vmlinux ]; then
  for sum in sha256sum md5sum cksum; do
    if has "$sum"; then take btf-digest.txt "$sum" /sys/kernel/btf/vmlinux; break; fi
  done
fi
# Where each module comes from and its version, without asking a program for each: name, version ("-": it states none), path.
# (A file of /proc has no size: an empty list is noted as such.)
if [ -r /proc/modules ]; then
  take modules.txt sh -c 'dep=/lib/modules/$(uname -r)/modules.dep
    [ -r "$dep" ] || dep=/dev/null
    while read -r name rest; do
      version=-
      [ ! -r "/sys/module/$name/version" ] || read -r version <"/sys/module/$name/version"
      echo "$name $version"
    done </proc/modules | awk -v dep="$dep" "BEGIN { while ((getline line < dep) > 0) { sub(/:.*/, \"\", line); path = line; n = line; sub(/.*\\//, \"\", n); sub(/\\.ko.*/, \"\", n); gsub(/-/, \"_\", n); at[n] = path } } { print \$1, \$2, (\$1 in at) ? at[\$1] : \"?\" }"'
fi
if has modinfo; then
  take modules-of-interfaces.txt sh -c 'for p in /sys/class/net/*/device/driver/module; do [ -e "$p" ] && modinfo "$(basename "$(readlink -f "$p")")"; done'
fi

# The second sample: counters say something only by their difference.
sleep "$seconds"
sample 2

member "$folder/collect/samples.txt" "uptime and idle seconds of the processors at the start, at the first sample's end and at the end:
$started
$first
$(cat /proc/uptime 2>/dev/null)
"
member "$folder/collect/manifest.txt" "$manifest"
member "$folder/collect/unread.txt" "${unread:-everything that was asked for could be read$newline}"
nulls 1024
