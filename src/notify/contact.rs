//! The mail to the contacts of a place: whether its Internet works, and nothing else. `[P]`

use super::blocks::{Block, bold};
use super::story::Story;
use super::words;
use crate::model::SiteId;
use crate::model::network::Language;

fn is_cut_off(story: &Story<'_>, site: &SiteId) -> bool {
    story.incident.sites_cut_off.contains(site)
}

pub fn subject(story: &Story<'_>, site: &SiteId) -> String {
    let name = story.site_name(site);
    let said = match (is_cut_off(story, site), story.italian()) {
        (true, true) => format!("{name} senza Internet"),
        (true, false) => format!("{name} without Internet"),
        (false, true) => format!("{name}: Internet più lento del promesso"),
        (false, false) => format!("{name}: Internet slower than promised"),
    };
    format!("[{}] {said}", story.incident.token())
}

pub fn opened(story: &Story<'_>, site: &SiteId, from: &str) -> Vec<Block> {
    let (since, name) = (story.since(), bold(&story.site_name(site)));
    let said = match (is_cut_off(story, site), story.italian()) {
        (true, true) => format!("{since} {name} è senza Internet."),
        (true, false) => format!("{since} {name} has had no Internet."),
        (false, true) => format!("{since} a {name} Internet funziona, ma più lentamente di quanto promesso."),
        (false, false) => format!("{since} Internet at {name} works, but slower than promised."),
    };
    let known = story.pick(
        "L’Unione ne è al corrente e segue il ripristino: non serve segnalarlo. Vi scriveremo quando tutto sarà \
         regolare.",
        "The Union knows and follows the repair: there is no need to report it. We will write when all is well.",
    );
    vec![
        Block::Para(story.pick("Buongiorno,", "Hello,").into()),
        Block::Para(story.after_greeting(said)),
        Block::Para(known.into()),
        Block::Small(story.signature(from)),
    ]
}

pub fn closed(story: &Story<'_>, site: &SiteId, from: &str) -> Vec<Block> {
    let end = story.incident.recovered_at().unwrap_or(story.now);
    let since = words::since_clock(story.language, &story.zone, end);
    let day = words::which_day(story.language, &story.zone, end, story.now);
    let name = story.site_name(site);
    let said = match story.language {
        Language::Italian => format!("{} a {name} Internet è di nuovo regolare {since} {day}.", bold("Risolto:")),
        Language::English => format!("{} Internet at {name} has been back to normal {since} {day}.", bold("Resolved:")),
    };
    let whole = story.duration(end.since(story.incident.since));
    let lasted = format!("{} {whole}.", bold(story.pick("Durata:", "Duration:")));
    vec![Block::Para(said), Block::Para(lasted), Block::Small(story.signature(from))]
}
