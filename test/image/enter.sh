#!/bin/sh
# Runs a command in a root directory as a container's, in namespaces of its own (unshare(1) has made them). Called by root-directory.ts:
#
#   LAYERS     directories that are laid over each other, the uppermost first; empty: the machine's own system, read-only
#   UPPER      where changes go; beside it is room for the kernel
#   READ_ONLY  1: nothing can be changed
#   MOUNTS     lines `ro|rw SOURCE DESTINATION`
#   DIRECTORY  where the command runs
set -eu

root=$SCRATCH/root
mkdir -p "$root"
if [ -n "$LAYERS" ]; then
  if [ "$READ_ONLY" = 1 ]; then
    mount -t overlay -o "ro,lowerdir=$UPPER:$LAYERS" overlay "$root"
  else
    mount -t overlay -o "lowerdir=$LAYERS,upperdir=$UPPER,workdir=$UPPER.room" overlay "$root"
  fi
else
  mount -t tmpfs -o size=16m tmpfs "$root"
  for path in /bin /etc /lib /lib32 /lib64 /libx32 /sbin /usr; do
    if [ -L "$path" ]; then
      cp -P "$path" "$root$path"
    elif [ -d "$path" ]; then
      mkdir "$root$path"
      mount --rbind "$path" "$root$path"
      mount -o remount,bind,ro "$root$path"
    fi
  done
  for path in app cache data models opt root tmp usr/local; do
    mkdir -p "$root/$path" "$UPPER/$path"
    mount --bind "$UPPER/$path" "$root/$path"
    [ "$READ_ONLY" = 0 ] || mount -o remount,bind,ro "$root/$path"
  done
  mkdir -p "$root/dev" "$root/mnt" "$root/proc" "$root/sys"
fi

echo "$MOUNTS" | while read -r mode source destination; do
  [ -n "$mode" ] || continue
  # On a read-only root it has to be there, as it has to for Docker.
  [ -d "$root$destination" ] || mkdir -p "$root$destination"
  mount --bind "$source" "$root$destination"
  case "$mode:$destination" in
    ro:*) mount -o remount,bind,ro "$root$destination" ;;
    # As Docker mounts a tmpfs.
    rw:/tmp) mount -o remount,bind,nosuid,nodev,noexec "$root$destination" ;;
  esac
done

mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mkdir "$root/dev/shm"
mount -t tmpfs -o size=64m tmpfs "$root/dev/shm"
for device in full null random urandom zero; do
  : >"$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
ln -s /proc/self/fd "$root/dev/fd"
ln -s /proc/self/fd/1 "$root/dev/stdout"
ln -s /proc/self/fd/2 "$root/dev/stderr"
[ -n "$LAYERS" ] || mount -o remount,bind,ro "$root"

# Not chroot: who is in one may make no namespaces, and ffmpeg is shut in by them.
cd "$root"
pivot_root . mnt
umount -l /mnt
cd "$DIRECTORY"
exec "$@"
