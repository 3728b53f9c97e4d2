#!/bin/busybox sh
# What the virtual machine does, as its first process and with nothing but busybox: samples its /proc every second while programs take all of its
# memory, then runs the collect script in busybox's shell. Archives leave by serial lines: ttyS1 the collected one, ttyS2 the samples.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t debugfs debug /sys/kernel/debug
mount -t tmpfs -o size=24m tmpfs /tmp
echo vm-under-pressure >/proc/sys/kernel/hostname
ip link set lo up
for line in 1 2; do stty -F /dev/ttyS$line raw -echo; done

mkdir /tmp/watched
cat /dev/kmsg >/tmp/watched/kmsg 2>/dev/null &
log=$!
(
  n=100
  while :; do
    at=/tmp/watched/$n
    mkdir -p $at/net
    for f in uptime zoneinfo buddyinfo pagetypeinfo vmstat slabinfo net/dev net/softnet_stat net/sockstat net/snmp net/netstat; do
      cat /proc/$f >$at/$f 2>/dev/null
    done
    n=$((n + 1))
    sleep 1
  done
) &
samples=$!
sleep 8
# tail keeps all that has no end of a line: it grows until the kernel ends it. Packets are asked for meanwhile.
ping -q -s 60000 -c 200 -W 1 127.0.0.1 >/dev/null 2>&1 &
# An interface is plugged in the middle.
insmod /lib/modules/$(uname -r)/kernel/drivers/net/dummy.ko 2>/dev/null && ip link set dummy0 up
sleep 3
for hog in 1 2; do
  (echo 1000 >/proc/self/oom_score_adj; head -c 400m /dev/zero | tail >/dev/null 2>&1)
  cat /proc/uptime >>/tmp/watched/ended
  sleep 2
done
sleep 3
kill $samples $log
for f in version meminfo kpageflags kpagecount iomem pagetypeinfo zoneinfo sys/kernel/random/boot_id; do
  mkdir -p /tmp/watched/proc/${f%/*}
  [ "${f%/*}" != "$f" ] || rmdir /tmp/watched/proc/$f 2>/dev/null
  cat /proc/$f >/tmp/watched/proc/$f
done
SKBLAB_SECONDS=1 sh /collect.sh 2>/tmp/watched/collect.err | cat >/dev/ttyS1

tar -c -C /tmp watched | gzip >/dev/ttyS2
sync
echo 'skblab: the machine is done'
sleep 2
poweroff -f
