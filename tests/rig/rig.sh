# Where the rig lives and what it listens on; read by `up` and `down`.
#
#   target/rig/bin   what was built, one folder for each set of versions
#   target/rig/run   certificates, kubeconfigs, process ids and logs of the rig that runs

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
project="$(cd "$here/../.." && pwd)"
target="${CARGO_TARGET_DIR:-$project/target}/rig"
# Kubernetes' programs learn their version when they are linked; members are asked for theirs.
kubernetes="$(sed -n 's|^require k8s.io/kubernetes v||p' "$here/kubernetes/go.mod" | cut -d' ' -f1)"
stamp="-s -w -X k8s.io/component-base/version.gitVersion=v$kubernetes"
# Karmada 1.18 speaks to its estimators with types that Kubernetes 1.35 has without this tag no more.
tags=kubernetes_protomessage_one_more_release
versions="$({
  cat "$here"/*/go.mod "$here"/*/go.sum "$here"/kubernetes/keys/main.go
  echo "$stamp $tags"
} | cksum | cut -d' ' -f1)"
bin="$target/bin/$versions"
run="$target/run"

members=(member1 member2)
token=rig-admin

# Everything listens on 127.0.0.1. A member's ports are a hundred apart.
etcd_port=26379
karmada_port=26443
declare -A member_port=([member1]=26500 [member2]=26600)

say() { printf '%s\n' "rig: $*"; }
die() {
  say "$*" >&2
  exit 2
}

# is_alive NAME: whether the process that the rig started under this name runs.
is_alive() {
  local pid
  pid="$(cat "$run/$1.pid" 2>/dev/null)" && [ -n "$pid" ] && [ -e "/proc/$pid" ] &&
    [[ "$(readlink "/proc/$pid/exe")" == "$target"/bin/* ]]
}

kubectl() { "$bin/kubectl" --kubeconfig "$run/$1.kubeconfig" "${@:2}"; }
