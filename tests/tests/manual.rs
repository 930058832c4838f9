//! Completions and manual pages, as the command prints them.

use std::{collections::BTreeSet, env, fs, path::PathBuf, process::ExitCode};

use clap::CommandFactory as _;
use fedscaler_cmd::{
    cli::{Cli, ManArguments},
    manual,
};

/// A folder of this process, gone with the value.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn each_command_has_a_page_with_its_options() {
    let folder = Folder(env::temp_dir().join(format!("fedscaler-man-{}", std::process::id())));
    let wrote = manual::pages(&ManArguments { output: Some(folder.0.clone()) }).expect("pages");
    assert_eq!(wrote, ExitCode::SUCCESS);
    let files =
        fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let files: BTreeSet<_> = files.collect();
    for command in Cli::command().get_subcommands() {
        assert!(files.contains(&format!("fedscaler-{}.1", command.get_name())), "{files:?}");
    }
    let page = fs::read_to_string(folder.0.join("fedscaler-sandbox.1")).unwrap();
    assert!(page.contains("fleet\\-pods") && page.contains("busiest"), "{page}");
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let file = env::current_exe().unwrap();
    let why = manual::pages(&ManArguments { output: Some(file.clone()) }).unwrap_err().to_string();
    assert!(why.contains(&*file.to_string_lossy()) && !why.contains('\n'), "{why}");
}

#[test]
fn completions_know_the_commands_and_their_options() {
    for shell in [clap_complete::Shell::Bash, clap_complete::Shell::Zsh, clap_complete::Shell::Fish] {
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "fedscaler", &mut text);
        let text = String::from_utf8(text).unwrap();
        for word in ["sandbox", "explain", "completions", "fleet-pods"] {
            assert!(text.contains(word), "{shell} does not know {word}");
        }
    }
}

#[test]
fn every_option_and_command_says_what_it_is_for() {
    let (mut commands, mut silent) = (vec![Cli::command()], Vec::new());
    while let Some(command) = commands.pop() {
        commands.extend(command.get_subcommands().cloned());
        let name = command.get_name().to_owned();
        if command.get_about().is_none() {
            silent.push(name.clone());
        }
        let unexplained = command.get_arguments().filter(|argument| argument.get_help().is_none());
        silent.extend(unexplained.map(|argument| format!("{name} {}", argument.get_id())));
    }
    assert_eq!(silent, Vec::<String>::new());
}
