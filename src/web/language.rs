//! Which language a reader gets. `[P]`

use crate::model::network::Language;

/// `lang` of the query if it names one, else what the browser prefers (RFC 9110, 12.5.4), else `default`.
pub fn choose(query: Option<&str>, accept_language: Option<&str>, default: Language) -> Language {
    query.and_then(named).or_else(|| accept_language.and_then(preferred)).unwrap_or(default)
}

fn named(tag: &str) -> Option<Language> {
    let primary = tag.split('-').next().unwrap_or(tag).trim();
    if primary.eq_ignore_ascii_case("it") {
        Some(Language::Italian)
    } else if primary.eq_ignore_ascii_case("en") {
        Some(Language::English)
    } else {
        None
    }
}

/// The language of ours with the highest weight; the first of equals. Weight 0 means "not this one".
fn preferred(header: &str) -> Option<Language> {
    let mut best: Option<(f32, Language)> = None;
    for part in header.split(',') {
        let mut pieces = part.split(';');
        let Some(language) = pieces.next().and_then(named) else { continue };
        let weight = pieces
            .find_map(|p| p.trim().strip_prefix("q=").map(|q| q.trim().parse::<f32>().unwrap_or(0.0)))
            .unwrap_or(1.0);
        if weight > 0.0 && best.is_none_or(|(w, _)| weight > w) {
            best = Some((weight, language));
        }
    }
    best.map(|(_, language)| language)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Language::{English, Italian};

    #[test]
    fn the_query_wins_then_the_browser_then_the_setting() {
        let check =
            |query, header, expected| assert_eq!(choose(query, header, Italian), expected, "{query:?} {header:?}");
        check(None, None, Italian);
        check(Some("en"), Some("it"), English);
        check(Some("de"), Some("en"), English);
        check(None, Some("de,fr;q=0.9"), Italian);
        check(None, Some("de, en-GB;q=0.8, it;q=0.7"), English);
        check(None, Some("en;q=0.5,it-IT;q=0.9"), Italian);
        check(None, Some("en;q=0"), Italian);
        check(None, Some("en; q=0.4"), English);
        check(None, Some("en;q=nonsense,it;q=0.1"), Italian);
        check(None, Some(",,;;q,=\u{e9}"), Italian);
        assert_eq!(choose(None, Some("*"), English), English);
    }
}
