//! The files in `crds/generated` are those of the types.

use std::{collections::BTreeMap, fs, path::Path};

use fedscaler_crds::render;
use serde_json::Value;

fn generated() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("generated");
    let files = fs::read_dir(folder).into_iter().flatten();
    files
        .map(|file| {
            let path = file.unwrap().path();
            (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read_to_string(path).unwrap())
        })
        .collect()
}

#[test]
fn the_generated_files_are_those_of_the_types() {
    let (written, rendered) = (generated(), render::render().unwrap());
    let names = |files: &BTreeMap<String, String>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        names(&written),
        names(&rendered),
        "crds/generated has other files: run `cargo run -- crds --output crds/generated`"
    );
    for (name, yaml) in &rendered {
        let apart = yaml.lines().zip(written[name].lines()).position(|(now, then)| now != then);
        assert!(
            *yaml == written[name],
            "crds/generated/{name} is not what the types say (from line {}): run `cargo run -- crds --output crds/generated`",
            apart.map_or_else(|| "the end".to_owned(), |line| (line + 1).to_string())
        );
    }
}

#[test]
fn the_files_read_back_as_the_definitions() {
    let rendered = render::render().unwrap();
    for crd in render::all() {
        let yaml = &rendered[&format!("{}_{}.yaml", crd.spec.group, crd.spec.names.plural)];
        let mut read: Value = serde_saphyr::from_str(yaml).unwrap();
        let mut built = serde_json::to_value(&crd).unwrap();
        for tree in [&mut read, &mut built] {
            forget_layout(tree);
        }
        assert_eq!(read, built);
    }
}

/// Makes trees equal that differ only in line breaks of descriptions and in how whole numbers are written.
fn forget_layout(tree: &mut Value) {
    match tree {
        Value::Object(fields) => fields.values_mut().for_each(forget_layout),
        Value::Array(items) => items.iter_mut().for_each(forget_layout),
        Value::String(text) => *text = text.replace('\n', " "),
        Value::Number(number) => *tree = number.as_f64().unwrap().into(),
        Value::Null | Value::Bool(_) => {}
    }
}
