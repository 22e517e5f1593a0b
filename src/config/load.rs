//! Reads the files that people edit: exactly what `vedetta check` runs.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use super::check;
use super::problem::{Finding, Findings, Problem, Severity, near_miss};
use super::schema::FileKind;
use super::settings::{AgentSettings, HubSettings, InventoryOf};
use crate::model::network::Network;
use crate::model::{SiteId, WispId};

/// Largest file read, in bytes: a network of ten thousand links takes a tenth of it.
pub const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What a file says, and what is odd about it.
#[derive(Debug, Clone)]
pub struct Loaded<T> {
    pub value: T,
    /// Never an error.
    pub warnings: Vec<Problem>,
}

/// Reads an inventory, `network.toml`. On failure: every problem, with the warnings among them.
pub fn load_network(path: &Path) -> Result<Loaded<Network>, Vec<Problem>> {
    load(path, check::network)
}

/// Reads `hub.toml`.
pub fn load_hub(path: &Path) -> Result<Loaded<HubSettings>, Vec<Problem>> {
    load(path, check::hub)
}

/// Reads `agent.toml`.
pub fn load_agent(path: &Path) -> Result<Loaded<AgentSettings>, Vec<Problem>> {
    load(path, check::agent)
}

fn load<T>(path: &Path, check: fn(&str, &Path) -> (Option<T>, Findings)) -> Result<Loaded<T>, Vec<Problem>> {
    let text = read_text(path).map_err(|problem| vec![*problem])?;
    loaded(path, &text, check)
}

fn loaded<T>(
    path: &Path,
    text: &str,
    check: fn(&str, &Path) -> (Option<T>, Findings),
) -> Result<Loaded<T>, Vec<Problem>> {
    let (value, findings) = check(text, path.parent().unwrap_or(Path::new("")));
    let problems = findings.into_problems(path, text);
    match value {
        Some(value) => Ok(Loaded { value, warnings: problems }),
        None => Err(problems),
    }
}

/// The text of a file, at most [`FILE_BYTES_MAX`] of it.
pub fn read_text(path: &Path) -> Result<String, Box<Problem>> {
    let cannot = |error: std::io::Error| Box::new(Problem::of_file(path, format!("cannot be read: {error}")));
    let file = std::fs::File::open(path).map_err(cannot)?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let wanted = format!("is larger than {} MiB", FILE_BYTES_MAX / 1024 / 1024);
        return Err(Box::new(Problem::of_file(path, wanted)));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..good].split(|byte| *byte == b'\n').count();
        let problem = Problem::of_file(path, "is not UTF-8 text: save it with that encoding");
        Box::new(Problem { line: Some(line), ..problem })
    })
}

/// What a file is, by what stands in it: a `[network]` table makes an inventory, `agent = …` the settings of an
/// agent; everything else is read as those of a hub.
pub fn recognise(text: &str) -> FileKind {
    let (table, _) = DeTable::parse_recoverable(text);
    let table = table.get_ref();
    let is_table = |key: &str| table.get(key).is_some_and(|value| value.get_ref().is_table());
    let is_list = |key: &str| table.get(key).is_some_and(|value| value.get_ref().is_array());
    if is_table("network") || ["site", "device", "link"].into_iter().any(is_list) {
        FileKind::Inventory
    } else if table.contains_key("agent") {
        FileKind::Agent
    } else {
        FileKind::Hub
    }
}

/// One file that was checked.
#[derive(Debug, Clone)]
pub struct CheckedFile {
    pub file: PathBuf,
    /// `None`: it could not be read.
    pub kind: Option<FileKind>,
}

/// What `vedetta check` has to say.
#[derive(Debug, Clone, Default)]
pub struct CheckReport {
    pub files: Vec<CheckedFile>,
    pub problems: Vec<Problem>,
}

/// Checks files of any kind, and whether they go together. A file that cannot be read is a problem like any other.
pub fn check_files(paths: &[PathBuf]) -> CheckReport {
    let mut report = CheckReport::default();
    let mut inventories = Vec::new();
    let mut agents = Vec::new();
    let mut hubs = Vec::new();
    for path in paths {
        let text = match read_text(path) {
            Ok(text) => text,
            Err(problem) => {
                report.files.push(CheckedFile { file: path.clone(), kind: None });
                report.problems.push(*problem);
                continue;
            }
        };
        let kind = recognise(&text);
        report.files.push(CheckedFile { file: path.clone(), kind: Some(kind) });
        match kind {
            FileKind::Inventory => report.take(loaded(path, &text, check::network), |network| {
                inventories.push((path.clone(), network));
            }),
            FileKind::Agent => report.take(loaded(path, &text, check::agent), |settings| {
                agents.push((path.clone(), text.clone(), settings));
            }),
            FileKind::Hub => report.take(loaded(path, &text, check::hub), |settings| {
                hubs.push((path.clone(), text.clone(), settings));
            }),
        }
    }
    // A hub's inventory is named when it is started; with several nobody knows which.
    if let [(_, network)] = &inventories[..] {
        for (path, text, settings) in hubs {
            report.problems.extend(hub_in_network(&path, &text, &settings, network));
        }
    }
    for (path, text, settings) in agents {
        if let Some(network) = inventory_of(&settings, &inventories) {
            report.problems.extend(agent_in_network(&path, &text, &settings.agent, network));
        }
    }
    report
}

/// The inventory that an agent's settings mean, if it is among those checked: the file or the network that they name,
/// else the only one.
fn inventory_of<'n>(settings: &AgentSettings, inventories: &'n [(PathBuf, Network)]) -> Option<&'n Network> {
    let canonical = |path: &Path| path.canonicalize().ok();
    let found = match &settings.inventory {
        InventoryOf::Hub(id) => return inventories.iter().map(|(_, network)| network).find(|n| n.id == *id),
        InventoryOf::File(file) => {
            let named = canonical(file);
            inventories.iter().find(|(path, _)| named.is_some() && canonical(path) == named)
        }
    };
    match (found, inventories) {
        (Some((_, network)), _) | (None, [(_, network)]) => Some(network),
        _ => None,
    }
}

fn agent_in_network(path: &Path, text: &str, agent: &SiteId, network: &Network) -> Vec<Problem> {
    let mut findings = Findings::default();
    let table = DeTable::parse_recoverable(text).0;
    let at = table.get_ref().get("agent").map_or(0, |value| value.span().start);
    let near = near_miss(agent.as_str(), network.agents().map(|site| site.id.as_str())).map(|id| format!("\"{id}\""));
    let error = |wanted: String| Finding::error(at, "agent", wanted).found(format!("\"{agent}\""));
    match network.sites.get(agent.as_str()) {
        Some(site) if site.agent => {}
        Some(_) => findings.push(error(format!("this site of network \"{}\" has no agent = true", network.id))),
        None => findings.push(error(format!("network \"{}\" has no such site", network.id)).near(near)),
    }
    findings.into_problems(path, text)
}

/// Operators that webhooks are for.
fn hub_in_network(path: &Path, text: &str, settings: &HubSettings, network: &Network) -> Vec<Problem> {
    let mut findings = Findings::default();
    let table = DeTable::parse_recoverable(text).0;
    let written = table.get_ref().get("notify").and_then(|notify| notify.get_ref().get("webhook"));
    for (n, webhook) in settings.notify.webhooks.iter().enumerate() {
        let Some(wisp) = webhook.wisp.as_ref().filter(|wisp| !network.wisps.contains_key(wisp.as_str())) else {
            continue;
        };
        let value = written.and_then(|all| all.get_ref().get(n)).and_then(|one| one.get_ref().get("wisp"));
        let near = near_miss(wisp.as_str(), network.wisps.keys().map(WispId::as_str)).map(|id| format!("\"{id}\""));
        let at = value.map_or(0, |value| value.span().start);
        let wanted = format!("network \"{}\" has no such operator", network.id);
        let key = format!("webhook \"{}\": wisp", webhook.id);
        findings.push(Finding::error(at, &key, wanted).found(format!("\"{wisp}\"")).near(near));
    }
    findings.into_problems(path, text)
}

impl CheckReport {
    fn take<T>(&mut self, result: Result<Loaded<T>, Vec<Problem>>, keep: impl FnOnce(T)) {
        match result {
            Ok(Loaded { value, warnings }) => {
                self.problems.extend(warnings);
                keep(value);
            }
            Err(problems) => self.problems.extend(problems),
        }
    }

    fn count(&self, severity: Severity) -> usize {
        self.problems.iter().filter(|problem| problem.severity == severity).count()
    }

    /// With one of these the files cannot be used, and the exit code is 1.
    pub fn n_errors(&self) -> usize {
        self.count(Severity::Error)
    }

    pub fn n_warnings(&self) -> usize {
        self.count(Severity::Warning)
    }

    /// For a terminal: a line for each problem and one that sums up.
    pub fn render(&self, color: bool) -> String {
        let mut out = String::new();
        let paint = |text: &str, code: &str| if color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() };
        for problem in &self.problems {
            let code = match problem.severity {
                Severity::Error => "1;31",
                Severity::Warning => "1;33",
            };
            let severity = paint(problem.severity.as_str(), code);
            // Writing to a String cannot fail.
            let _ = writeln!(out, "{}: {severity}: {}", paint(&problem.position(), "1"), problem.message());
        }
        let _ = writeln!(out, "{}", self.summary());
        out
    }

    fn summary(&self) -> String {
        let plural = |n: usize, word: &str| if n == 1 { format!("1 {word}") } else { format!("{n} {word}s") };
        let files = plural(self.files.len(), "file");
        match (self.n_errors(), self.n_warnings()) {
            (0, 0) => format!("{files}: no problems"),
            (0, warnings) => format!("{files}: {}", plural(warnings, "warning")),
            (errors, 0) => format!("{files}: {}", plural(errors, "error")),
            (errors, warnings) => format!("{files}: {}, {}", plural(errors, "error"), plural(warnings, "warning")),
        }
    }

    /// The stable form for programs: `{"errors", "warnings", "files": [{"file", "kind"}], "problems": [{"severity",
    /// "file", "line", "column", "place", "found", "wanted", "near_miss"}]}`; what is not known is null.
    pub fn to_json(&self) -> serde_json::Value {
        let file = |checked: &CheckedFile| serde_json::json!({ "file": checked.file.display().to_string(), "kind": checked.kind.map(FileKind::as_str) });
        let problem = |problem: &Problem| {
            serde_json::json!({
                "severity": problem.severity.as_str(),
                "file": problem.file.display().to_string(),
                "line": problem.line,
                "column": problem.column,
                "place": problem.place,
                "found": problem.found,
                "wanted": problem.wanted,
                "near_miss": problem.near_miss,
            })
        };
        serde_json::json!({
            "errors": self.n_errors(),
            "warnings": self.n_warnings(),
            "files": self.files.iter().map(file).collect::<Vec<_>>(),
            "problems": self.problems.iter().map(problem).collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVENTORY: &str = "[network]\nid = \"prova\"\nname = \"Prova\"\n\n[[site]]\nid = \"alto\"\nname = \"Alto\"\n\
                             kind = \"relay\"\nlat = 44.5\nlon = 8.0\nagent = true\n\n[[site]]\nid = \"basso\"\n\
                             name = \"Basso\"\nkind = \"relay\"\nlat = 44.6\nlon = 8.0\n";

    fn written(dir: &tempfile::TempDir, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn said(report: &CheckReport, dir: &tempfile::TempDir) -> Vec<String> {
        let prefix = format!("{}/", dir.path().display());
        report.problems.iter().map(|problem| problem.to_string().replace(&prefix, "")).collect()
    }

    fn agent_file(site: &str) -> String {
        format!("agent = \"{site}\"\nnetwork_file = \"network.toml\"\n[mqtt]\nhost = \"localhost\"\n")
    }

    #[test]
    fn files_are_recognised_by_what_stands_in_them() {
        assert_eq!(recognise(INVENTORY), FileKind::Inventory);
        assert_eq!(recognise("[[site]]\nid = \"x\""), FileKind::Inventory);
        assert_eq!(recognise(&agent_file("alto")), FileKind::Agent);
        assert_eq!(recognise("[web]\n"), FileKind::Hub);
        assert_eq!(recognise(""), FileKind::Hub);
        assert_eq!(recognise("[network]\nid = \"broken"), FileKind::Inventory);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_a_problem_like_any_other() {
        let dir = tempfile::tempdir().unwrap();
        let latin = written(&dir, "latin.toml", b"[network]\nname = \"Mondov\xec\"\n");
        let paths = [dir.path().join("nowhere.toml"), latin, dir.path().to_owned(), written(&dir, "hub.toml", "")];
        let report = check_files(&paths);
        let said = said(&report, &dir);
        assert!(said[0].starts_with("nowhere.toml: error: cannot be read: "), "{said:?}");
        assert_eq!(said[1], "latin.toml:2: error: is not UTF-8 text: save it with that encoding");
        assert!(said[2].contains("error: cannot be read: "), "{said:?}");
        assert_eq!((said.len(), report.n_errors(), report.n_warnings()), (3, 3, 0));
        assert!(load_network(&paths[0]).is_err() && load_hub(&paths[3]).is_ok());
    }

    #[test]
    fn an_endless_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = written(&dir, "big.toml", vec![b'#'; FILE_BYTES_MAX as usize + 1]);
        assert_eq!(said(&check_files(&[path]), &dir), ["big.toml: error: is larger than 16 MiB"]);
    }

    #[test]
    fn a_webhook_must_be_for_an_operator_of_the_network() {
        let dir = tempfile::tempdir().unwrap();
        let wisp = "[[wisp]]\nid = \"colli\"\nname = \"Colli\"\nemail = [\"noc@colli.example\"]\n";
        let network = written(&dir, "network.toml", format!("{INVENTORY}{wisp}"));
        let webhook = |id: &str, wisp: &str| {
            format!(
                "[[notify.webhook]]\nid = \"{id}\"\nurl = \"https://tickets.example/\"\nsecret_env = \"S\"\nwisp = \"{wisp}\"\n"
            )
        };
        let hub = written(&dir, "hub.toml", webhook("a", "colli") + &webhook("b", "coli"));
        assert_eq!(
            said(&check_files(&[hub, network]), &dir),
            [
                "hub.toml:10:8: error: webhook \"b\": wisp = \"coli\": network \"prova\" has no such operator (did you mean \
              \"colli\"?)"
            ]
        );
    }

    #[test]
    fn an_agent_must_be_one_of_its_network() {
        fn check(site: &str, expected: &[&str]) {
            let dir = tempfile::tempdir().unwrap();
            let network = written(&dir, "network.toml", INVENTORY);
            let other = written(&dir, "other.toml", INVENTORY.replace("alto", "altro"));
            let agent = written(&dir, "agent.toml", agent_file(site));
            assert_eq!(said(&check_files(&[agent, network, other]), &dir), expected);
        }
        check("alto", &[]);
        check(
            "basso",
            &["agent.toml:1:9: error: agent = \"basso\": this site of network \"prova\" has no agent = true"],
        );
        check(
            "alt",
            &["agent.toml:1:9: error: agent = \"alt\": network \"prova\" has no such site (did you mean \"alto\"?)"],
        );
    }

    #[test]
    fn a_report_for_people_and_one_for_programs() {
        let dir = tempfile::tempdir().unwrap();
        let path = written(&dir, "hub.toml", "[web]\nlisten = \"0.0.0.0:80\"\nlanguage = \"en \"\n");
        let report = check_files(std::slice::from_ref(&path));
        let text = report.render(false);
        assert!(text.ends_with("1 file: 1 error, 1 warning\n"), "{text}");
        assert!(text.contains(
            "hub.toml:3:12: error: web: language = \"en \": must be \"it\" or \"en\" (did you mean \"en\"?)"
        ));
        assert!(!text.contains('\x1b') && report.render(true).contains("\x1b[1;31merror\x1b[0m"));
        let json = report.to_json();
        assert_eq!((&json["errors"], &json["files"][0]["kind"]), (&1.into(), &"hub".into()));
        assert_eq!(json["problems"][1]["near_miss"], "\"en\"");
        assert_eq!(json["problems"][0]["near_miss"], serde_json::Value::Null);
        assert_eq!(check_files(&[written(&dir, "hub.toml", "")]).render(false), "1 file: no problems\n");
    }
}
