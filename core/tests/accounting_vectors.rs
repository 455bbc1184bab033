//! Runs the golden accounting scenarios and compares every figure of `state` and `result`.
//!
//! The folder is `VELOZ_GOLDEN_ACCOUNTING`, else `tests/vectors/accounting` of the repository.
//! A scenario that cannot be run is listed by name with the reason, never skipped in silence.

mod vectors;

use std::path::PathBuf;
use vectors::runner::{run_file, Verdict};

#[test]
fn every_vector_agrees_to_the_last_digit() {
    let folder = std::env::var_os("VELOZ_GOLDEN_ACCOUNTING").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/accounting"),
        PathBuf::from,
    );
    let entries = std::fs::read_dir(&folder)
        .unwrap_or_else(|e| panic!("{}: {e}; set VELOZ_GOLDEN_ACCOUNTING", folder.display()));
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .collect();
    files.sort();
    let (mut passed, mut failed, mut left_out) = (0, 0, 0);
    for file in &files {
        match run_file(file) {
            Verdict::Passed => passed += 1,
            Verdict::Failed(why) => {
                failed += 1;
                println!("FAILED   {why}");
            }
            Verdict::LeftOut(why) => {
                left_out += 1;
                println!("LEFT OUT {why}");
            }
        }
    }
    println!("accounting: {passed} passed, {failed} failed, {left_out} left out");
    assert!(!files.is_empty(), "no vector in {}", folder.display());
    assert!(passed + left_out > 0 && failed == 0, "{failed} of {} vectors failed", files.len());
}
