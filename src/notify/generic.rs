//! The mail of a condition that has no words of its own: what, where, since when, the figure, what to do. `[P]`

use super::blocks::{Block, bold};
use super::story::Story;
use super::words;
use crate::alert::Condition;
use crate::alert::incident::BackupTrouble;

/// Those that `wisp` and `staff` tell in their own words.
const TOLD: [Condition; 5] = [
    Condition::CapacityBelow,
    Condition::LinkDown,
    Condition::SiteBelowTarget,
    Condition::OnStandby,
    Condition::SamplesLost,
];

pub fn applies(condition: Condition) -> bool {
    !TOLD.contains(&condition)
}

pub fn title(story: &Story<'_>) -> &'static str {
    let spec = story.incident.condition.spec();
    story.pick(spec.title_it, spec.title_en)
}

pub fn subject(story: &Story<'_>) -> String {
    format!("[{}] {}: {}", story.incident.token(), story.name(), lower(title(story)))
}

/// `Slow answers` within a sentence.
pub fn lower(title: &str) -> String {
    let mut letters = title.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

pub fn opened(story: &Story<'_>, from: &str) -> Vec<Block> {
    let fact = format!("{}, {}: {}.", story.since_in_full(), bold(&story.name()), bold(&lower(title(story))));
    let mut blocks =
        vec![Block::Para(story.pick("Buongiorno,", "Hello,").into()), Block::Para(story.after_greeting(fact))];
    blocks.extend(figure(story).map(Block::Para));
    blocks.extend(said(story).map(Block::Para));
    blocks.push(Block::Title(story.pick("Che cosa fare", "What to do").into()));
    blocks.push(Block::Para(ask(story).into()));
    let note = story.pick(
        "Segnalazione tecnica automatica: non costituisce contestazione contrattuale.",
        "Automatic technical notice: it is not a contractual claim.",
    );
    blocks.extend([Block::Small(story.signature(from)), Block::Small(note.into())]);
    blocks
}

pub fn closed(story: &Story<'_>, from: &str) -> Vec<Block> {
    let over = if story.italian() {
        format!("{} {}: {}, situazione rientrata.", bold("Risolto:"), story.name(), lower(title(story)))
    } else {
        format!("{} {}: {} is over.", bold("Resolved:"), story.name(), lower(title(story)))
    };
    vec![Block::Para(over), Block::Lines(vec![story.course()]), Block::Small(story.signature(from))]
}

/// Why, in the words of the machine that says so.
fn said(story: &Story<'_>) -> Option<String> {
    let said = story.incident.detail.said.as_ref()?;
    Some(format!("{} {said}", bold(story.pick("La sonda dice:", "The agent says:"))))
}

/// What is wrong with a backup job.
fn backup(story: &Story<'_>) -> Option<String> {
    let incident = story.incident;
    let mbps = |value: Option<f64>| value.map(|mbps| words::decimal(story.language, mbps, usize::from(mbps < 20.0)));
    let said = match incident.detail.backup? {
        BackupTrouble::DoesNotFit => {
            let (has, needs) = (mbps(incident.measured_mbps_min)?, mbps(incident.required_mbps)?);
            return Some(if story.italian() {
                format!(
                    "Per finire nella sua finestra servono almeno {needs} Mbps in uscita; ce ne sono {}.",
                    bold(&has)
                )
            } else {
                format!("To finish in its window it needs at least {needs} Mbps upstream; there are {}.", bold(&has))
            });
        }
        BackupTrouble::NotStarted => ("Non è partito all’orario previsto.", "It did not start when it should have."),
        BackupTrouble::NotFinished => {
            ("È partito, ma non ha finito in tempo.", "It started, but did not finish in time.")
        }
        BackupTrouble::Failed => ("Il lavoro ha segnalato un errore.", "The job itself reported a failure."),
    };
    Some(story.pick(said.0, said.1).to_owned())
}

/// The figure against its threshold, and what is usual.
fn figure(story: &Story<'_>) -> Option<String> {
    let (incident, language) = (story.incident, story.language);
    let detail = &incident.detail;
    if incident.condition == Condition::CertificateExpiring {
        let days = detail.value_worst.or(detail.value)?;
        let days = words::decimal(language, days, 0);
        return Some(if story.italian() {
            format!("Giorni rimasti: {}.", bold(&days))
        } else {
            format!("Days left: {}.", bold(&days))
        });
    }
    if incident.condition == Condition::BackupWillNotFinish {
        return backup(story);
    }
    let unit = match incident.condition {
        Condition::PortBelowUsual => "Mbit/s",
        condition => condition.spec().threshold?.unit,
    };
    let number = |value: f64| {
        let digits = usize::from(value.abs() < 20.0 && value.fract().abs() >= 0.05);
        words::decimal(language, value, digits)
    };
    let value = format!("{} {unit}", number(detail.value_worst.or(detail.value)?));
    Some(match (incident.condition, detail.limit, detail.usual) {
        (Condition::SignalBelowBaseline, _, Some(usual)) => {
            if story.italian() {
                format!("Il livello ricevuto è sceso di {} rispetto al solito ({} dBm).", bold(&value), number(usual))
            } else {
                format!("The received level fell by {} from its usual {} dBm.", bold(&value), number(usual))
            }
        }
        (Condition::PortBelowUsual, _, Some(usual)) => {
            if story.italian() {
                format!("La porta lavora a {}; di solito a {} {unit}.", bold(&value), number(usual))
            } else {
                format!("The port runs at {}; usually at {} {unit}.", bold(&value), number(usual))
            }
        }
        (_, Some(limit), _) => {
            if story.italian() {
                format!("Valore misurato: {} (soglia: {} {unit}).", bold(&value), number(limit))
            } else {
                format!("Measured: {} (threshold: {} {unit}).", bold(&value), number(limit))
            }
        }
        (_, None, _) => {
            if story.italian() {
                format!("Valore misurato: {}.", bold(&value))
            } else {
                format!("Measured: {}.", bold(&value))
            }
        }
    })
}

fn ask(story: &Story<'_>) -> &'static str {
    let (italian, english) = match story.incident.condition {
        Condition::HubBlind => (
            "Controllare la connessione della macchina centrale e il broker MQTT. Finché non arrivano dati non si può \
             dire che cosa funziona.",
            "Check the connection of the central machine and the MQTT broker. Until data arrive nobody can say what \
             works.",
        ),
        Condition::AgentSilent => (
            "Controllare che la macchina della sonda sia accesa e raggiunga il broker. Le misure raccolte non vanno \
             perse.",
            "Check that the agent’s machine has power and reaches the broker. What it measures is not lost.",
        ),
        Condition::SitePower => (
            "Verificare l’alimentazione del sito prima che le batterie si scarichino.",
            "Check the power at the site before the batteries are empty.",
        ),
        Condition::RedundancyLost => (
            "Il servizio funziona. Ripristinare il percorso che manca: un secondo guasto interromperebbe il servizio.",
            "The service works. Please restore the missing path: a second failure would interrupt it.",
        ),
        Condition::DeviceDown => {
            ("Controllare alimentazione e cavo dell’apparato.", "Check the power and the cable of the device.")
        }
        Condition::ManagementUnreachable => (
            "Il servizio funziona. Controllare la VLAN di gestione, l’indirizzo e le credenziali dell’apparato.",
            "The service works. Check the management VLAN, the address and the credential of the device.",
        ),
        Condition::PacketLoss | Condition::RoundTripTime => (
            "Controllare il primo apparato del percorso: saturazione, errori sulle porte, interferenze.",
            "Check the first device on the way: load, errors on its ports, interference.",
        ),
        Condition::PortBelowUsual => (
            "Controllare cavo, connettori e scaricatore della porta.",
            "Check the cable, its plugs and the surge arrester of the port.",
        ),
        Condition::SignalBelowBaseline => (
            "Controllare puntamento, ostacoli sul percorso e infiltrazioni nei connettori, prima che la tratta diventi \
             troppo debole.",
            "Check the alignment, obstacles in the path and water in connectors, before the link is too weak.",
        ),
        Condition::CapacityNotMeasurable => (
            "La tratta funziona, ma l’apparato non dice più quanta capacità ha: spesso dopo un aggiornamento del \
             firmware.",
            "The link works, but the device no longer says what it can carry: often after a firmware update.",
        ),
        Condition::ServiceUnreachable => (
            "Se non risponde da nessuna sede, il problema è del servizio; da una sede sola, del percorso.",
            "If it fails from all sites, it is the service; from one site only, the way from there.",
        ),
        Condition::CertificateExpiring => (
            "Rinnovare con vedetta broker-files il certificato con cui questa macchina si presenta al broker, e copiarlo \
             sulla macchina. Alla scadenza il broker non la accetta più.",
            "Renew the certificate that this machine shows to the broker with vedetta broker-files, and copy it there. \
             After its end the broker lets it in no more.",
        ),
        Condition::Temperature => (
            "Controllare ventilazione e armadio dell’apparato.",
            "Check the ventilation and the cabinet of the device.",
        ),
        Condition::BackupWillNotFinish => (
            "Controllare la macchina che lo esegue. Se la linea non basta: spostare o dividere il lavoro, oppure \
             ripristinare la tratta che lo limita.",
            "Check the machine that runs it. Where the line is too narrow: move or split the job, or repair the link \
             that limits it.",
        ),
        Condition::ClockWrong => (
            "Controllare la sincronizzazione NTP della sonda. Le misure vengono corrette.",
            "Check the agent’s NTP synchronisation. Its measurements are corrected.",
        ),
        Condition::PartRefused => (
            "Correggere l’inventario o il segreto indicato; fino ad allora la sonda continua con la parte precedente e \
             quello che è nuovo non viene misurato.",
            "Correct the inventory, or the secret that is named; until then the agent goes on with the part before, and \
             what is new is not measured.",
        ),
        Condition::ClonedAgent => (
            "Due macchine scrivono con lo stesso nome, di solito perché un disco è stato copiato: fermarne una, e dare \
             all’altra un nome suo. Ciò che mandano con gli stessi numeri è messo da parte, non perso.",
            "Two machines write under one name, usually because a disk was copied: stop one of them, and give the \
             other a name of its own. What they send under the same numbers is set aside, not lost.",
        ),
        _ => ("Verificare la situazione sulla pagina.", "Look at the situation on the page."),
    };
    story.pick(italian, english)
}
