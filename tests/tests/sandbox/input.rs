//! Files that cannot be read are named, and so are their lines.

use clap::Parser as _;
use fedscaler_cmd::{cli::Cli, sandbox::scenario::Scenario};
use fedscaler_tests::scratch::Scratch;

use super::{arguments, refused};

const NODES: &str = "sn,cpu_milli,memory_mib,gpu,model\nn1,4000,8192,0,\nn2,4000,8192,2,T4\n";
const DEMAND: &str =
    "timestamp,value\n2014-07-01 00:00:00,10\n2014-07-01 00:30:00,30\n2014-07-01 01:00:00,20\n";

#[test]
fn a_file_that_is_not_there_or_empty_is_named() {
    assert!(refused(&["--demand", "nowhere.csv"]).starts_with("--demand nowhere.csv: "));
    assert!(refused(&["--fleet", "nowhere.csv"]).starts_with("--fleet nowhere.csv: "));
    let empty = Scratch::new("empty.csv", "");
    let why = refused(&["--fleet", empty.word()]);
    assert!(why.ends_with("the first line must name the columns sn, cpu_milli, memory_mib and gpu"), "{why}");
    let why = refused(&["--demand", empty.word()]);
    assert!(why.ends_with("the first line must name the columns timestamp and value"), "{why}");
    let only_names = Scratch::new("names.csv", "timestamp,value\n");
    assert!(refused(&["--demand", only_names.word()]).ends_with("it has no rows"));
}

#[test]
fn a_wrong_row_is_named_by_its_line() {
    let cases = [
        (
            "--fleet",
            "sn,cpu_milli,memory_mib,gpu\nn1,1,1,0\nn2,many,1,0\n",
            "line 3: cpu_milli \"many\" is not",
        ),
        ("--fleet", "sn,cpu_milli,memory_mib,gpu\nn1,1,1,0\nn1,1,1,0\n", "line 3: \"n1\" is there twice"),
        ("--fleet", "sn,cpu_milli,memory_mib,gpu\nn1,1,1,0\nn2,1\n", "line: 3"),
        (
            "--demand",
            "timestamp,value\n2014-07-01 00:00:00,1\nlater,2\n",
            "line 3: \"later\" is no timestamp",
        ),
        (
            "--demand",
            "timestamp,value\n2014-07-01 00:00:00,1\n2014-07-01 00:00:00,2\n",
            "line 3: its time is not later",
        ),
        (
            "--demand",
            "timestamp,value\n2014-07-01 00:00:00,-1\n",
            "line 2: \"-1\" is not a number of 0 or more",
        ),
    ];
    for (option, text, expected) in cases {
        let file = Scratch::new("row.csv", text);
        let why = refused(&[option, file.word()]);
        assert!(why.contains(expected) && why.contains(file.word()), "{why}");
    }
}

#[test]
fn wrong_pods_are_named_by_their_line() {
    let nodes = Scratch::new("pods-nodes.csv", NODES);
    let head = "name,cpu_milli,memory_mib,num_gpu,gpu_milli,scheduled_time,deletion_time\n";
    let pods = Scratch::new("pods.csv", &format!("{head}a,100,10,0,0,0,9\nb,100,10,0,0,soon,9\n"));
    let why = refused(&["--fleet", nodes.word(), "--fleet-pods", pods.word(), "--members", "1"]);
    assert!(why.contains("line 3: scheduled_time \"soon\" is not a whole number"), "{why}");
}

#[test]
fn more_members_than_nodes_are_refused() {
    let nodes = Scratch::new("few.csv", NODES);
    let why = refused(&["--fleet", nodes.word(), "--members", "5"]);
    assert!(why.ends_with("2 nodes are too few for 5 members: give a smaller --members"), "{why}");
}

#[test]
fn a_run_begins_where_it_is_told_to_within_the_demand() {
    let demand = Scratch::new("from.csv", DEMAND);
    let from = |time: &str| arguments(&["--demand", demand.word(), "--from", time]);
    for time in ["2014-07-01 00:15:00", "2014-07-01T00:15:00Z"] {
        let scenario = Scenario::new(&from(time)).expect("a scenario");
        assert_eq!(scenario.start.to_rfc3339(), "2014-07-01T00:15:00+00:00");
    }
    let why = refused(&["--demand", demand.word(), "--from", "2014-07-02 00:00:00"]);
    assert!(why.contains("the demand goes from 2014-07-01 00:00:00 UTC to 2014-07-01 01:00:00 UTC"), "{why}");
}

#[test]
fn options_that_need_another_say_so() {
    for words in [["--from", "2014-07-01 00:00:00"], ["--fleet-pods", "pods.csv"], ["--fleet-at", "all"]] {
        let why = Cli::try_parse_from(["fedscaler", "sandbox"].iter().chain(&words)).expect_err("a refusal");
        assert!(why.to_string().contains("required arguments were not provided"), "{why}");
    }
}
