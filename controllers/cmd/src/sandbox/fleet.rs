//! A recorded fleet: nodes of a real cluster, and the pods that ran on them.
//!
//! Responsible for reading both from CSV, for placing the pods that were alive at an instant and for dealing the nodes to
//! members. Knows nothing of the workloads that are played on them.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    str::FromStr,
};

use fedscaler_sandbox::{
    member::{FillerSpec, NodeSpec},
    world::MemberSpec,
};

use super::rows::Source;
use crate::Refusal;

/// The namespace of the pods that were there before.
const NAMESPACE: &str = "tenants";

/// Which pods of a record are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Moment {
    /// Those that were there when most of them were, the first such time.
    #[default]
    Busiest,
    /// Those that were there in this second.
    Second(i64),
    /// All that ever got a node, as if none had gone: a full fleet.
    All,
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "busiest" => Ok(Self::Busiest),
            "all" => Ok(Self::All),
            _ => text.parse().map(Self::Second).map_err(|_| "give seconds, busiest or all".to_owned()),
        }
    }
}

/// Nodes with the pods on them, by name.
#[derive(Clone, Debug, Default)]
pub struct Fleet(Vec<Machine>);

/// A node, what is on it and what is left of it.
#[derive(Clone, Debug)]
struct Machine {
    node: NodeSpec,
    tenants: Vec<FillerSpec>,
    free: Amounts,
}

/// Amounts of a node or of a pod.
#[derive(Clone, Copy, Debug)]
struct Amounts {
    cpu_milli: i64,
    memory_mib: i64,
    gpu_milli: i64,
    pods: i64,
}

impl Amounts {
    fn holds(self, pod: Self) -> bool {
        self.cpu_milli >= pod.cpu_milli
            && self.memory_mib >= pod.memory_mib
            && self.gpu_milli >= pod.gpu_milli
            && self.pods >= pod.pods
    }

    fn minus(self, pod: Self) -> Self {
        Self {
            cpu_milli: self.cpu_milli - pod.cpu_milli,
            memory_mib: self.memory_mib - pod.memory_mib,
            gpu_milli: self.gpu_milli - pod.gpu_milli,
            pods: self.pods - pod.pods,
        }
    }
}

/// What became of the pods of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Populated {
    /// So many are on nodes.
    pub placed: usize,
    /// So many were alive and fit nowhere, for their true nodes are not in the record.
    pub unplaced: usize,
}

/// A pod of a record.
#[derive(Clone, Debug)]
struct Tenant {
    name: String,
    asks: Amounts,
    /// The seconds between which it was on a node.
    stay: Option<(i64, i64)>,
}

impl Tenant {
    fn is_there(&self, moment: Moment) -> bool {
        match (self.stay, moment) {
            (Some((from, until)), Moment::Second(second)) => from <= second && second < until,
            (stay, Moment::All) => stay.is_some(),
            (Some(_) | None, Moment::Busiest) | (None, Moment::Second(_)) => false,
        }
    }
}

impl Fleet {
    /// Reads nodes: CSV with the columns `sn`, `cpu_milli`, `memory_mib` and `gpu`.
    pub fn read(path: &Path) -> Result<Self, Refusal> {
        let source = Source { option: "--fleet", path };
        let rows = source.read(["sn", "cpu_milli", "memory_mib", "gpu"], machine)?;
        refuse_twice(source, rows.iter().map(|(line, machine)| (*line, machine.node.name.as_str())))?;
        let mut machines: Vec<_> = rows.into_iter().map(|(_, machine)| machine).collect();
        machines.sort_by(|one, other| one.node.name.cmp(&other.node.name));
        Ok(Self(machines))
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads pods (CSV with the columns `name`, `cpu_milli`, `memory_mib`, `num_gpu`, `gpu_milli`, `scheduled_time` and
    /// `deletion_time`, times in seconds) and places those that were there at a moment, in the order in which they came:
    /// each on the emptiest node that holds it, as Kubernetes' scheduler does.
    pub fn populate(&mut self, path: &Path, moment: Moment) -> Result<Populated, Refusal> {
        let source = Source { option: "--fleet-pods", path };
        let names =
            ["name", "cpu_milli", "memory_mib", "num_gpu", "gpu_milli", "scheduled_time", "deletion_time"];
        let rows = source.read(names, tenant)?;
        refuse_twice(source, rows.iter().map(|(line, tenant)| (*line, tenant.name.as_str())))?;
        let tenants: Vec<_> = rows.into_iter().map(|(_, tenant)| tenant).collect();
        let moment = match moment {
            Moment::Busiest => Moment::Second(busiest(&tenants)),
            Moment::Second(_) | Moment::All => moment,
        };
        let mut there: Vec<_> = tenants.iter().filter(|tenant| tenant.is_there(moment)).collect();
        there.sort_by_key(|tenant| (tenant.stay, &tenant.name));
        let placed = there.iter().filter(|tenant| self.place(tenant).is_some()).count();
        Ok(Populated { placed, unplaced: there.len() - placed })
    }

    fn place(&mut self, tenant: &Tenant) -> Option<()> {
        let holding = self.0.iter_mut().filter(|machine| machine.free.holds(tenant.asks));
        let machine =
            holding.min_by_key(|machine| (machine.fullness_with(tenant.asks), machine.node.name.clone()))?;
        machine.free = machine.free.minus(tenant.asks);
        machine.tenants.push(FillerSpec {
            name: tenant.name.clone(),
            namespace: NAMESPACE.to_owned(),
            node: machine.node.name.clone(),
            cpu_milli: tenant.asks.cpu_milli,
            memory_mib: tenant.asks.memory_mib,
        });
        Some(())
    }

    /// Deals the nodes, with what is on them, to so many members in turn, by name.
    pub fn deal(self, members: usize) -> Vec<MemberSpec> {
        let provider = BTreeMap::from([("provider".to_owned(), "own".to_owned())]);
        let empty = |number| MemberSpec {
            labels: provider.clone(),
            ..MemberSpec::new(&format!("member-{number}"), Vec::new())
        };
        let mut dealt: Vec<_> = (1..=members).map(empty).collect();
        for (index, machine) in self.0.into_iter().enumerate() {
            let member = &mut dealt[index % members];
            member.nodes.push(machine.node);
            member.fillers.extend(machine.tenants);
        }
        dealt
    }
}

impl Machine {
    /// How full the node would be with the pod, in thousandths, cpu and memory counting alike.
    fn fullness_with(&self, pod: Amounts) -> i64 {
        let left = self.free.minus(pod);
        let share = |left: i64, of: i64| (of - left) * 1000 / of;
        share(left.cpu_milli, self.node.cpu_milli) + share(left.memory_mib, self.node.memory_mib)
    }
}

/// The first second at which most were there.
fn busiest(tenants: &[Tenant]) -> i64 {
    let mut steps = BTreeMap::<i64, i64>::new();
    for (from, until) in tenants.iter().filter_map(|tenant| tenant.stay) {
        *steps.entry(from).or_default() += 1;
        *steps.entry(until).or_default() -= 1;
    }
    let (mut there, mut most, mut when) = (0, 0, 0);
    for (second, step) in steps {
        there += step;
        if there > most {
            (most, when) = (there, second);
        }
    }
    when
}

fn machine([name, cpu, memory, gpu]: [&str; 4]) -> Result<Machine, String> {
    let node = NodeSpec::new(named(name)?, positive("cpu_milli", cpu)?, positive("memory_mib", memory)?);
    let free = Amounts {
        cpu_milli: node.cpu_milli,
        memory_mib: node.memory_mib,
        gpu_milli: 1000 * amount("gpu", gpu)?,
        pods: node.pods,
    };
    Ok(Machine { node, tenants: Vec::new(), free })
}

fn tenant([name, cpu, memory, gpus, share, from, until]: [&str; 7]) -> Result<Tenant, String> {
    let asks = Amounts {
        cpu_milli: amount("cpu_milli", cpu)?,
        memory_mib: amount("memory_mib", memory)?,
        gpu_milli: amount("num_gpu", gpus)? * amount("gpu_milli", share)?,
        pods: 1,
    };
    // Without a time of scheduling it never had a node; without one of deletion it is still there.
    let until = if until.is_empty() { i64::MAX } else { amount("deletion_time", until)? };
    let stay = if from.is_empty() { None } else { Some((amount("scheduled_time", from)?, until)) };
    Ok(Tenant { name: named(name)?.to_owned(), asks, stay })
}

/// Above this an amount is taken for a mistake; it also keeps all sums inside 64 bits.
const LARGEST: i64 = 1_000_000_000;

fn amount(column: &str, text: &str) -> Result<i64, String> {
    match text.parse() {
        Ok(number) if (0..=LARGEST).contains(&number) => Ok(number),
        Ok(_) | Err(_) => Err(format!("{column} {text:?} is not a whole number of 0 to {LARGEST}")),
    }
}

fn positive(column: &str, text: &str) -> Result<i64, String> {
    match amount(column, text)? {
        0 => Err(format!("{column} is 0")),
        number => Ok(number),
    }
}

/// Nodes and pods are named as Kubernetes names them.
fn named(text: &str) -> Result<&str, String> {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let part = |part: &str| {
        part.bytes().all(|byte| is_inner(byte) || byte == b'-')
            && part.bytes().next().is_some_and(is_inner)
            && part.bytes().last().is_some_and(is_inner)
    };
    if text.len() <= 253 && text.split('.').all(part) {
        Ok(text)
    } else {
        Err(format!("{text:?} is no name: lower case letters, digits, - and . within"))
    }
}

fn refuse_twice<'a>(source: Source<'_>, names: impl Iterator<Item = (u64, &'a str)>) -> Result<(), Refusal> {
    let mut seen = BTreeSet::new();
    for (line, name) in names {
        if !seen.insert(name) {
            return Err(source.refuse_line(line, format!("{name:?} is there twice")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> Moment {
        text.parse().unwrap()
    }

    fn resident(name: &str, cpu: &str, gpus: &str, from: &str, until: &str) -> Tenant {
        tenant([name, cpu, "1024", gpus, "500", from, until]).unwrap()
    }

    #[test]
    fn the_busiest_second_is_the_first_with_the_most_pods() {
        let stays = [("0", "30"), ("10", "20"), ("20", "40"), ("25", ""), ("", "99")];
        let tenants = stays.map(|(from, until)| resident("a", "1", "0", from, until));
        assert_eq!(busiest(&tenants), 25);
        let there = |moment| tenants.iter().filter(|tenant| tenant.is_there(moment)).count();
        assert_eq!([there(moment("25")), there(moment("20")), there(moment("all"))], [3, 2, 4]);
        assert!("soon".parse::<Moment>().is_err());
    }

    #[test]
    fn a_pod_goes_to_the_emptiest_node_that_has_its_gpus_too() {
        let rows = [["a", "4000", "8192", "0"], ["b", "4000", "8192", "1"], ["c", "8000", "8192", "0"]];
        let mut fleet = Fleet(rows.map(|row| machine(row).unwrap()).into());
        for (name, cpu, gpus) in [("one", "2000", "1"), ("two", "1000", "0"), ("three", "1000", "1")] {
            fleet.place(&resident(name, cpu, gpus, "0", "")).unwrap();
        }
        assert!(fleet.place(&resident("four", "1", "1", "0", "")).is_none(), "its GPU is given away");
        let on =
            |index: usize| fleet.0[index].tenants.iter().map(|pod| pod.name.as_str()).collect::<Vec<_>>();
        assert_eq!([on(0), on(1), on(2)], [vec![], vec!["one", "three"], vec!["two"]]);
    }

    #[test]
    fn nodes_are_dealt_in_turn_with_what_is_on_them() {
        let names = ["n0", "n1", "n2", "n3", "n4"];
        let machines = names.map(|name| machine([name, "1000", "1024", "0"]).unwrap());
        let mut fleet = Fleet(machines.into());
        fleet.place(&resident("pod", "10", "0", "0", "")).unwrap();
        let dealt = fleet.deal(2);
        let nodes =
            |index: usize| dealt[index].nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>();
        assert_eq!([nodes(0), nodes(1)], [vec!["n0", "n2", "n4"], vec!["n1", "n3"]]);
        assert_eq!((dealt[0].name.as_str(), dealt[0].fillers.len()), ("member-1", 1));
    }

    #[test]
    fn what_is_no_name_or_amount_is_said() {
        assert!(machine(["Node_1", "1", "1", "0"]).unwrap_err().contains("\"Node_1\" is no name"));
        assert!(machine(["n", "0", "1", "0"]).unwrap_err().contains("cpu_milli is 0"));
        assert!(machine(["n", "1", "-1", "0"]).unwrap_err().contains("memory_mib \"-1\""));
        assert!(machine(["a..b", "1", "1", "0"]).is_err() && machine(["", "1", "1", "0"]).is_err());
    }
}
