#!/bin/bash
# deps.sh - installs what building and testing need and the machine lacks.
#
#   tools/deps.sh          what `make` and `make check` use
#   tools/deps.sh slices   also the volumes that `make slices` shows
#   tools/deps.sh ci       also clang
#   NO_INSTALL=1           only say what is missing
#
# Without apt, or without the right to install, it prints what to install; that is an error only for core packages.
set -u
what=${1:-}

# class, Debian package, how to see that it is there
table() {
    cat <<'END'
core      gcc               command gcc
core      make              command make
core      pkg-config        command pkg-config
core      libjansson-dev    module jansson
core      libyaml-dev       module yaml-0.1
core      libpcre2-dev      module libpcre2-8
core      libutf8proc-dev   module libutf8proc
core      libcmocka-dev     module cmocka
optional  g++               command g++
optional  libjpeg-dev       module libjpeg
optional  libpng-dev        module libpng
optional  libwebp-dev       module libwebp
optional  libtiff-dev       module libtiff-4
optional  zlib1g-dev        module zlib
optional  libzstd-dev       module libzstd
optional  libsnappy-dev     module snappy
optional  libcurl4-openssl-dev  module libcurl
optional  libgdcm-dev       file /usr/include/gdcm-3.0/gdcmReader.h
optional  clang-format      command clang-format
END
    case $what in
    slices) echo "optional  mricron-data  file /usr/share/mricron/templates" ;;
    ci) echo "optional  clang  command clang" ;;
    esac
}

present() {
    case $1 in
    command) command -v "$2" >/dev/null ;;
    module) pkg-config --exists "$2" 2>/dev/null ;;
    file) [ -e "$2" ] ;;
    esac
}

missing() { # missing CLASS: the packages of the class that are not there
    table | while read -r class package how name; do
        [ "$class" = "$1" ] && ! present "$how" "$name" && echo "$package"
    done
}

install() {
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" >"$log" 2>&1
}

core=$(missing core)
optional=$(missing optional)
[ -z "$core$optional" ] && exit 0
echo "missing:" $core $optional

sudo=
[ "$(id -u)" = 0 ] || sudo="sudo -n"
if [ -z "${NO_INSTALL:-}" ] && command -v apt-get >/dev/null && { [ -z "$sudo" ] || $sudo true 2>/dev/null; }; then
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    echo "installing them with apt-get"
    $sudo apt-get update -q >"$log" 2>&1 || cat "$log"
    # shellcheck disable=SC2086
    if ! install $core $optional; then
        for package in $core $optional; do
            install "$package" || { echo "could not install $package:"; tail -n 3 "$log"; }
        done
    fi
    core=$(missing core)
    optional=$(missing optional)
fi

[ -z "$optional" ] || echo "going on without these optional packages:" $optional
[ -z "$core" ] && exit 0
echo "these are needed; please install them:"
echo "    apt-get install" $core
exit 1
