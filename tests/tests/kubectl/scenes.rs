//! The scenes: what people do with kubectl.
//!
//! Knows no answer: those are in the recordings.

/// Commands to a server of their own, one after the other.
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) lines: &'static [Line],
}

/// A command.
pub(crate) struct Line {
    /// Its words after `kubectl`; single quotes hold words together.
    pub(crate) words: &'static str,
    /// What it reads.
    pub(crate) input: &'static str,
}

const fn line(words: &'static str) -> Line {
    Line { words, input: "" }
}

const fn reading(words: &'static str, input: &'static str) -> Line {
    Line { words, input }
}

const MAP: &str = "apiVersion: v1
kind: ConfigMap
metadata: {name: colours, labels: {tone: warm}}
data: {first: red, second: orange}
";

const MAP_CHANGED: &str = "apiVersion: v1
kind: ConfigMap
metadata: {name: colours, labels: {tone: cold}}
data: {first: blue}
";

const FED_HPA: &str = "apiVersion: autoscaling.fedscaler.io/v1alpha1
kind: FedHPA
metadata: {name: batch}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: batch}
  maxReplicas: 12
";

const FED_HPA_WRONG: &str = "apiVersion: autoscaling.fedscaler.io/v1alpha1
kind: FedHPA
metadata: {name: wrong}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: batch}
  maxReplica: 12
";

/// All of them.
pub(crate) const SCENES: &[Scene] = &[
    Scene {
        name: "get",
        lines: &[
            line("get pods"),
            line("get pods -o wide"),
            line("get pods -l app=web,app!=batch --show-labels"),
            line("get pods --field-selector metadata.name=web-2"),
            line("get pods -l app=nothing"),
            line("get deployments -A"),
            line("get fedhpas,cronhpas,deployments"),
            line("get fedhpa web -o jsonpath={.spec.maxReplicas}"),
            line("get configmap kube-root-ca.crt"),
            line("get pod web-1 -o yaml"),
            line("get pods --watch --request-timeout=2s"),
        ],
    },
    Scene {
        name: "apply",
        lines: &[
            reading("apply -f -", MAP),
            reading("apply -f -", MAP),
            reading("diff -f -", MAP_CHANGED),
            reading("apply -f -", MAP_CHANGED),
            reading("apply -f -", FED_HPA),
            reading("apply -f -", FED_HPA_WRONG),
            line("get configmap colours -o jsonpath={.data}"),
        ],
    },
    Scene {
        name: "server-side",
        lines: &[
            reading("apply --server-side --field-manager=one -f -", MAP),
            reading("apply --server-side --field-manager=two -f -", MAP_CHANGED),
            reading("apply --server-side --field-manager=two --force-conflicts -f -", MAP_CHANGED),
            line("get configmap colours -o jsonpath={.data}"),
        ],
    },
    Scene {
        name: "create",
        lines: &[
            line("create deployment web2 --image=web:2 --replicas=3 --port=80"),
            line("get deployment web2 -o jsonpath={.spec}"),
            line("create configmap fruit --from-literal=apple=red"),
            line("create secret generic key --from-literal=a=b"),
            line("create namespace shop"),
            line("create namespace shop"),
            line("autoscale deployment web2 --min=2 --max=5 --cpu=70%"),
            line("get configmap fruit -o jsonpath={.data}"),
            line("get secret key -o jsonpath={.data}"),
            line("get hpa web2 -o jsonpath={.spec}"),
            reading("create -f -", FED_HPA),
        ],
    },
    Scene {
        name: "change",
        lines: &[
            line("edit fedhpa web"),
            line(
                "patch deployment web -p '{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"web\",\"image\":\"web:2\"}]}}}}'",
            ),
            line("patch fedhpa web --type=merge -p '{\"spec\":{\"minReplicas\":7}}'"),
            line(
                "patch fedhpa web --type=json -p '[{\"op\":\"replace\",\"path\":\"/spec/maxReplicas\",\"value\":70}]'",
            ),
            line("patch fedhpa web --type=merge -p '{\"spec\":{\"minReplicas\":700}}'"),
            line("patch fedhpa web --type=merge -p '{\"spec\":{\"maxReplicas\":2}}'"),
            line("label fedhpa web team=shop"),
            line("label fedhpa web team=other"),
            line("annotate fedhpa web 'note=two words' --overwrite"),
            line("scale deployment web --replicas=20"),
            line("scale deployment web --replicas=20 --current-replicas=5"),
            line("get deployment web"),
        ],
    },
    Scene {
        name: "delete",
        lines: &[
            line("patch fedhpa web --type=merge -p '{\"metadata\":{\"finalizers\":[\"example.com/held\"]}}'"),
            line("delete fedhpa web --timeout=1s"),
            line("get fedhpa web -o jsonpath={.metadata.finalizers}"),
            line("patch fedhpa web --type=merge -p '{\"metadata\":{\"finalizers\":null}}'"),
            line("get fedhpa web"),
            line("delete pod web-1 --wait=true"),
            line("delete pods -l app=web --now"),
            line("delete deployment nobody"),
        ],
    },
    Scene { name: "describe", lines: &[line("get events"), line("describe fedhpa web")] },
    Scene {
        name: "kinds",
        lines: &[
            line("api-resources --api-group=autoscaling.fedscaler.io"),
            line("explain fedhpa.spec.scaleTargetRef"),
            line("explain cronhpa.spec.timeZone"),
        ],
    },
];
