#!/usr/bin/env bash
# Builds the C and C++ interface and installs it: libraries, headers, gapless.pc for pkg-config and
# a package for CMake's find_package(gapless CONFIG). Linux.
#
#   bindings/c/install.sh [--prefix DIR] [--libdir DIR] [--includedir DIR] [--built DIR]
#
# --prefix DIR      default: /usr/local
# --libdir DIR      default: PREFIX/lib
# --includedir DIR  default: PREFIX/include
# --built DIR       takes the libraries from DIR and builds nothing
#
# Programs find the library if LIBDIR is one of the loader's folders (/etc/ld.so.conf) and ldconfig
# ran since: done here for root, without DESTDIR. In others: -Wl,-rpath,LIBDIR or LD_LIBRARY_PATH.
#
# DESTDIR=DIR       everything goes below DIR, and is used without it: for packages
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(cd "$here/../.." && pwd)"

fail() {
    echo "install.sh: $1" >&2
    exit 2
}

prefix=/usr/local libdir="" includedir="" built=""
while [ $# -gt 0 ]; do
    if [ "$1" = --help ]; then
        sed -n '2,/^set/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
        exit 0
    fi
    [ $# -gt 1 ] || fail "$1 needs a folder; --help says more"
    case "$1" in
        --prefix) prefix="$2" ;;
        --libdir) libdir="$2" ;;
        --includedir) includedir="$2" ;;
        --built) built="$2" ;;
        *) fail "$1 is not known; --help says more" ;;
    esac
    shift 2
done
libdir="${libdir:-$prefix/lib}"
includedir="${includedir:-$prefix/include}"
for dir in "$prefix" "$libdir" "$includedir"; do
    case "$dir" in
        *[[:space:]]*) fail "$dir: pkg-config knows no names with blanks" ;;
        /*) ;;
        *) fail "$dir: not a path from the root" ;;
    esac
done

version="$(sed -n 's/^version = "\(.*\)"$/\1/p' "$root/Cargo.toml" | head -n 1)"
# What programs record: it changes when the interface may break. Set by build.rs.
case "$version" in
    0.*) interface="${version%.*}" ;;
    *) interface="${version%%.*}" ;;
esac
readonly soname="libgapless.so.$interface"

if [ -z "$built" ]; then
    (cd "$root" && cargo build --locked --release -p gapless-c)
    built="${CARGO_TARGET_DIR:-$root/target}/release"
fi
for file in libgapless_c.so libgapless_c.a; do
    [ -f "$built/$file" ] || fail "$built/$file is not there"
done

# Copies a file below DESTDIR.
put() { install -D -m "$1" "$2" "${DESTDIR:-}$3"; }

# Fills in a file of install/.
fill() {
    local filled
    filled="$(sed -e "s|@prefix@|$prefix|g" -e "s|@libdir@|$libdir|g" \
        -e "s|@includedir@|$includedir|g" -e "s|@version@|$version|g" \
        -e "s|@soname@|$soname|g" "$here/install/$1")"
    install -d "${DESTDIR:-}$(dirname "$2")"
    printf '%s\n' "$filled" >"${DESTDIR:-}$2"
    chmod 644 "${DESTDIR:-}$2"
}

put 755 "$built/libgapless_c.so" "$libdir/libgapless.so.$version"
ln -sfn "libgapless.so.$version" "${DESTDIR:-}$libdir/$soname"
ln -sfn "$soname" "${DESTDIR:-}$libdir/libgapless.so"
put 644 "$built/libgapless_c.a" "$libdir/libgapless.a"
put 644 "$here/include/gapless.h" "$includedir/gapless.h"
put 644 "$here/include/gapless.hpp" "$includedir/gapless.hpp"
fill gapless.pc.in "$libdir/pkgconfig/gapless.pc"
fill gapless-config.cmake.in "$libdir/cmake/gapless/gapless-config.cmake"
fill gapless-config-version.cmake.in "$libdir/cmake/gapless/gapless-config-version.cmake"
is_loaders() { ldconfig -N -X -v 2>/dev/null | grep "^$libdir:" >/dev/null; }
if [ -z "${DESTDIR:-}" ] && [ "$(id -u)" = 0 ] && is_loaders; then
    ldconfig || echo "install.sh: ldconfig failed: programs may not find $soname" >&2
fi
echo "gapless $version is installed in ${DESTDIR:-}$libdir and ${DESTDIR:-}$includedir"
