//! FedHPA against the sandbox: what a user of three clusters sees, and what must hold whatever happens.

mod crash;
mod equal;
mod faults;
mod input;
mod life;
mod placement;
mod scaling;

use fedscaler_tests::stage::Stage;

/// The FedHPA of the examples.
const FED_HPA: &str = include_str!("../../../deploy/examples/fedhpa.yaml");

/// A stage on which the example FedHPA has come to rest.
async fn at_rest(demand: i64) -> Stage {
    let mut stage = Stage::with_demand(demand).await;
    stage.start_controllers();
    stage.apply(FED_HPA).await;
    // Twice the stabilisation of scaling down.
    stage.run(900).await;
    assert_in_order(&stage);
    stage
}

/// Every promise held so far, the numbers agree, and the FedHPA says so.
fn assert_in_order(stage: &Stage) {
    assert_eq!(stage.audit.violations(), []);
    let numbers = stage.numbers();
    assert!(numbers.agree(), "{numbers:?}");
    let ready = stage.condition("Ready").expect("a Ready condition");
    assert_eq!(ready.0, "True", "{ready:?}");
    assert_eq!(stage.reschedules(), 0);
}
