#!/bin/sh
# A systemd as PID 1 that sees this machine's files and can change none of them: in namespaces of its own, on an overlay of the root whose
# upper side is the folder $1. Started by end-to-end-service.ts as `unshare --mount --pid --fork --uts --ipc --net --cgroup --kill-child`.
# Never without the overlay: systemd's own housekeeping empties /tmp. $2 is the unit to start, $3 the project, wherever it lies.
set -eu
scratch=$1 unit=$2 project=$3
mount --make-rprivate /
mkdir -p "$scratch/upper" "$scratch/work" "$scratch/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$scratch/upper,workdir=$scratch/work" "$scratch/root"
root=$scratch/root
for folder in tmp run dev; do mount -t tmpfs -o mode=755 tmpfs "$root/$folder"; done
chmod 1777 "$root/tmp"
mkdir -p "$root$project"
mount --bind "$project" "$root$project"
mount -o remount,bind,ro "$root$project"
for device in null zero full random urandom tty; do touch "$root/dev/$device" && mount --bind "/dev/$device" "$root/dev/$device"; done
mkdir -p "$root/dev/pts" "$root/dev/shm" "$root/oldroot"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
mount -t tmpfs tmpfs "$root/dev/shm"
mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys" && mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
for name in systemd-tmpfiles-setup.service systemd-tmpfiles-setup-dev.service systemd-sysctl.service systemd-udevd.service systemd-udev-trigger.service \
  systemd-udevd-kernel.socket systemd-udevd-control.socket systemd-remount-fs.service systemd-tmpfiles-clean.timer; do
  ln -sf /dev/null "$root/etc/systemd/system/$name"
done
cd "$root"
pivot_root . oldroot
umount -l /oldroot
# What systemd mounts for one service comes to us through a shared tree, which it makes itself only outside of containers.
mount --make-rshared /
export container=backhaul
exec /lib/systemd/systemd --system --unit="$unit" --log-target=null --show-status=false
