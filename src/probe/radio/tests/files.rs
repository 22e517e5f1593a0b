//! Fixtures as files: `src/probe/radio/fixtures/NAME.txt` has what a device answers and, below `---`, what is made of
//! it. `VEDETTA_BLESS=1 cargo test --lib every_fixture` writes the second part anew.

use std::path::{Path, PathBuf};

use super::*;

pub fn fixtures() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/probe/radio/fixtures");
    let mut files: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn shown(polled: &Polled) -> String {
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let Identity { family, info, .. } = &polled.identity;
    let mut lines = vec![
        format!("profile {}", family.profile),
        format!("model {}", or_none(&info.model)),
        format!("firmware {}", or_none(&info.firmware)),
    ];
    for radio in &polled.radios {
        lines.push(format!("radio {} towards {}", radio.tag, or_none(&radio.peer)));
        lines.extend(radio.modulation.iter().map(|m| format!("  modulation={m}")));
        lines.extend(show(radio).iter().map(|reading| format!("  {reading}")));
    }
    for (field, reading) in &polled.power {
        let mut one = Radio::new("power");
        one.set(field, *reading);
        lines.push(format!("power {}", show(&one)[0]));
    }
    lines.join("\n") + "\n"
}

#[tokio::test]
async fn every_fixture_reads_as_it_says() {
    for path in fixtures() {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let (answers, expected) = text.split_once("---\n").unwrap_or((&text, ""));
        let polled = poll(answers).await;
        assert!(
            name.starts_with(polled.identity.family.profile),
            "{name} was read as {}",
            polled.identity.family.profile
        );
        let found = shown(&polled);
        if std::env::var_os("VEDETTA_BLESS").is_some() {
            std::fs::write(&path, format!("{answers}---\n{found}")).unwrap();
        } else {
            assert_eq!(found, expected, "{name}; if that is right: VEDETTA_BLESS=1 cargo test --lib every_fixture");
        }
        assert!(packets(answers).await <= 2, "{name}: more than two packets a poll");
    }
}
