//! What scenarios share: the rig and the controllers that run on it.

use std::{collections::BTreeMap, pin::Pin};

use fedscaler_tests::rig::{
    Rig,
    controllers::Controllers,
    eventually,
    place::{PATIENCE, Place, Workload},
};

/// A scenario: what it says, and what it does.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) run: Run,
}

type Running<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Whether others may run at the same time.
pub(crate) enum Run {
    /// It stays in its namespace and reads nothing that others count in.
    Beside(for<'a> fn(&'a House) -> Running<'a>),
    /// It stops, kills or loses something, or counts what happens everywhere.
    Alone(for<'a> fn(&'a mut House) -> Running<'a>),
}

/// Lists the scenarios of a module that may run beside others, and those that may not.
macro_rules! scenarios {
    (beside: [$($beside:ident),* $(,)?], alone: [$($alone:ident),* $(,)?] $(,)?) => {
        pub(crate) const SCENARIOS: &[crate::house::Scenario] = &[
            $(crate::house::Scenario {
                name: concat!(module_path!(), "::", stringify!($beside)),
                run: crate::house::Run::Beside(|house| Box::pin($beside(house))),
            },)*
            $(crate::house::Scenario {
                name: concat!(module_path!(), "::", stringify!($alone)),
                run: crate::house::Run::Alone(|house| Box::pin($alone(house))),
            },)*
        ];
    };
}

pub(crate) use scenarios;

/// The rig and the controllers.
pub(crate) struct House {
    pub(crate) rig: Rig,
    pub(crate) controllers: BTreeMap<&'static str, Controllers>,
    /// Nothing was stopped, killed or lost since it was put in order.
    pub(crate) is_in_order: bool,
}

impl House {
    /// No controllers run yet.
    pub(crate) fn of(rig: Rig) -> Self {
        Self { rig, controllers: BTreeMap::new(), is_in_order: false }
    }

    /// Everything runs and one process of the controllers leads, whatever a scenario before has left.
    pub(crate) async fn in_order(&mut self) {
        self.rig.up().await;
        self.controllers.retain(|name, _| *name == "one");
        self.start("one").await;
        eventually("the controllers lead", PATIENCE, async || {
            if self.controllers["one"].lead().await { Ok(()) } else { Err("they do not".to_owned()) }
        })
        .await;
        self.is_in_order = true;
    }

    /// Starts controllers of that name, if none run any more, as a kubelet does, and waits until they have seen everything.
    pub(crate) async fn start(&mut self, name: &'static str) {
        if self.controllers.get_mut(name).is_some_and(Controllers::have_ended) {
            self.controllers.remove(name);
        }
        let controllers = self.controllers.entry(name).or_insert_with(|| Controllers::start(&self.rig, name));
        eventually("the controllers are ready", PATIENCE, async || {
            if controllers.are_ready().await { Ok(()) } else { Err("they are not; see their log".to_owned()) }
        })
        .await;
    }

    /// Kills the controllers of that name.
    pub(crate) async fn kill(&mut self, name: &str) {
        self.controllers.remove(name).expect("they run").kill().await;
    }

    /// A namespace with `web` in it.
    pub(crate) async fn place(&self, namespace: &str, workload: Workload, replicas: u32) -> Place {
        Place::with(&self.rig, namespace, workload, replicas).await
    }
}
