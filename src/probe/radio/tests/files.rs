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
        let found = crate::probe::recording::normal_form(&polled);
        if std::env::var_os("VEDETTA_BLESS").is_some() {
            std::fs::write(&path, format!("{answers}---\n{found}")).unwrap();
        } else {
            assert_eq!(found, expected, "{name}; if that is right: VEDETTA_BLESS=1 cargo test --lib every_fixture");
        }
        assert!(packets(answers).await <= 2, "{name}: more than two packets a poll");
    }
}
