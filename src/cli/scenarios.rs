//! `vedetta check --scenarios`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use super::{CheckArgs, color};
use crate::config::load::{self, CheckReport};
use crate::config::schema::FileKind;
use crate::rehearsal::{self, Given, Played};

/// Plays the scenarios of `dir`, after `report` on the files of the command line.
pub fn scenarios(args: &CheckArgs, dir: &Path, report: &CheckReport) -> ExitCode {
    let files = match rehearsal::files(dir) {
        Ok(files) => files,
        Err(error) => {
            eprintln!("vedetta: {}: cannot be read: {error}", dir.display());
            return ExitCode::from(1);
        }
    };
    if files.is_empty() {
        eprintln!("vedetta: {}: there is no scenario: no .toml file below it has a [scenario]", dir.display());
        return ExitCode::from(1);
    }
    // A file with an error is in the report already; what needs it says so.
    let given = given(&args.files, report);
    let played: Vec<Played> = files.iter().map(|file| rehearsal::play(file, &given)).collect();
    if args.json {
        let mut json = rehearsal::to_json(&played);
        json["check"] = report.to_json();
        println!("{json}");
    } else {
        if !args.files.is_empty() {
            print!("{}", report.render(color()));
        }
        print!("{}", rehearsal::render(&played, color()));
    }
    ExitCode::from(u8::from(report.n_errors() > 0 || !played.iter().all(Played::is_well)))
}

fn given(files: &[PathBuf], report: &CheckReport) -> Given {
    let of_kind = |kind: FileKind| {
        let named = report.files.iter().filter(move |f| f.kind == Some(kind)).map(|f| f.file.clone());
        named.filter(|file| files.contains(file)).collect::<Vec<_>>()
    };
    let network = of_kind(FileKind::Inventory).iter().find_map(|file| load::load_network(file).ok());
    let settings = of_kind(FileKind::Hub).iter().find_map(|file| load::load_hub(file).ok());
    Given { network: network.map(|loaded| Arc::new(loaded.value)), settings: settings.map(|loaded| loaded.value) }
}
