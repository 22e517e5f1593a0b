//! The body of a mail as blocks, written out twice: plain text and simple HTML. `[P]`
//!
//! The HTML carries its styles inline and uses one table for figures, so that mail programs of any age show it. All
//! text is escaped here, and only here.

use std::fmt::{self, Write as _};

use crate::model::network::Language;

/// Marks the start and the end of bold text within a string; no name can contain it ([`clean`]).
const BOLD: char = '\u{2}';

/// The text in bold.
pub fn bold(text: &str) -> String {
    format!("{BOLD}{}{BOLD}", clean(text))
}

/// A name from the inventory or from a device, without control characters.
pub fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    Para(String),
    /// Each on a line of its own, without space between.
    Lines(Vec<String>),
    /// Stands directly over what follows.
    Title(String),
    List {
        numbered: bool,
        items: Vec<String>,
    },
    /// Rows of a label and one figure for each end.
    Table {
        head: Vec<String>,
        rows: Vec<Vec<String>>,
    },
    Small(String),
    /// Where the chart is drawn, if there is one; plain text has none.
    Chart,
}

/// Where the HTML of a mail takes its chart: filled when the message is put together, else a comment that nobody sees.
pub const CHART_SLOT: &str = "<!-- chart -->\n";

/// The colour of the bar at the top.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Critical,
    Major,
    Resolved,
}

impl Tone {
    /// Dark enough for white text beside it (contrast over 4.5).
    fn colour(self) -> &'static str {
        match self {
            Self::Critical => "#b3261e",
            Self::Major => "#9a5b00",
            Self::Resolved => "#1e6b35",
        }
    }
}

pub fn text(blocks: &[Block]) -> String {
    let mut out = String::new();
    for (at, block) in blocks.iter().enumerate() {
        match block {
            Block::Para(text) | Block::Title(text) | Block::Small(text) => {
                out.push_str(&plain(text));
                out.push('\n');
            }
            Block::Lines(lines) => {
                for line in lines {
                    out.push_str(&plain(line));
                    out.push('\n');
                }
            }
            Block::List { numbered, items } => {
                for (n, item) in items.iter().enumerate() {
                    let mark = if *numbered { format!("{}.", n + 1) } else { "-".to_owned() };
                    add(&mut out, format_args!("{mark} {}\n", plain(item)));
                }
            }
            Block::Table { head, rows } => text_table(&mut out, head, rows),
            Block::Chart => continue,
        }
        let small_run = matches!((block, blocks.get(at + 1)), (Block::Small(_), Some(Block::Small(_))));
        if !matches!(block, Block::Title(_)) && !small_run && at + 1 < blocks.len() {
            out.push('\n');
        }
    }
    out
}

/// Mail programs break plain text at 78 to 80 columns; a table must stay below.
const TABLE_COLUMNS_MAX: usize = 78;
const GAP: &str = "  ";

fn plain(text: &str) -> String {
    text.replace(BOLD, "")
}

fn text_table(out: &mut String, head: &[String], rows: &[Vec<String>]) {
    let lines: Vec<&[String]> = std::iter::once(head).chain(rows.iter().map(Vec::as_slice)).collect();
    let width =
        |column: usize| lines.iter().filter_map(|l| l.get(column)).map(|c| plain(c).chars().count()).max().unwrap_or(0);
    let mut widths: Vec<usize> = (0..head.len()).map(width).collect();
    let label = widths.first().copied().unwrap_or(0);
    let room = TABLE_COLUMNS_MAX.saturating_sub(label) / widths.len().saturating_sub(1).max(1);
    if widths.iter().map(|w| w + GAP.len()).sum::<usize>() > TABLE_COLUMNS_MAX + GAP.len() {
        widths.iter_mut().skip(1).for_each(|w| *w = (*w).min(room.saturating_sub(GAP.len())));
    }
    for line in lines {
        let cells: Vec<Vec<String>> =
            line.iter().zip(&widths).map(|(cell, width)| wrap(&plain(cell), *width)).collect();
        for n in 0..cells.iter().map(Vec::len).max().unwrap_or(0) {
            let parts: Vec<String> = cells
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{:<width$}", cell.get(n).map_or("", String::as_str)))
                .collect();
            out.push_str(parts.join(GAP).trim_end());
            out.push('\n');
        }
    }
}

/// Lines of at most so many characters, where the words allow it.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is always a line");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

fn add(out: &mut String, text: fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = out.write_fmt(text);
}

pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Escaped, with bold text, and with addresses of pages as links.
fn rich(text: &str) -> String {
    let mut out = String::new();
    for (n, part) in text.split(BOLD).enumerate() {
        let inner = linked(part);
        if n % 2 == 1 { add(&mut out, format_args!("<strong>{inner}</strong>")) } else { out.push_str(&inner) }
    }
    out
}

fn linked(text: &str) -> String {
    let words = text.split(' ').map(|word| {
        let address = word.trim_end_matches(['.', ',', ';', ')']);
        let rest = &word[address.len()..];
        if address.starts_with("https://") || address.starts_with("http://") {
            let address = escape(address);
            format!("<a href=\"{address}\" style=\"color:#0b57a4;overflow-wrap:anywhere;word-break:break-word\">{address}</a>{}", escape(rest))
        } else {
            escape(word)
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Mail programs that know a dark mode and these rules follow them; the others do as they always did.
const DARK: &str = "@media (prefers-color-scheme:dark){\
    .page{background:#16191d!important;color:#e4e8ee!important}\
    .quiet{color:#a9b3c0!important}\
    .head{background:#252a31!important}\
    .head,.cell{border-color:#414955!important}\
    a{color:#7db7f5!important}}";

const PARA: &str = "margin:0 0 14px 0";
const CELL: &str = "padding:6px 7px;border:1px solid #c9ced6;text-align:left;vertical-align:top";

pub fn html(language: Language, subject: &str, tone: Tone, blocks: &[Block]) -> String {
    let mut body = String::new();
    for block in blocks {
        match block {
            Block::Para(text) => add(&mut body, format_args!("<p style=\"{PARA}\">{}</p>\n", rich(text))),
            Block::Lines(lines) => {
                let lines: Vec<String> = lines.iter().map(|l| rich(l)).collect();
                add(&mut body, format_args!("<p style=\"{PARA}\">{}</p>\n", lines.join("<br>\n")));
            }
            Block::Title(text) => {
                add(
                    &mut body,
                    format_args!("<p style=\"margin:0 0 4px 0\"><strong>{}</strong></p>\n", rich(&plain(text))),
                );
            }
            Block::Small(text) => add(
                &mut body,
                format_args!(
                    "<p class=\"quiet\" style=\"margin:0 0 6px 0;font-size:13px;color:#4a5462\">{}</p>\n",
                    rich(text)
                ),
            ),
            Block::List { numbered, items } => {
                let tag = if *numbered { "ol" } else { "ul" };
                add(&mut body, format_args!("<{tag} style=\"margin:0 0 14px 0;padding-left:24px\">\n"));
                for item in items {
                    add(&mut body, format_args!("<li style=\"margin:0 0 4px 0\">{}</li>\n", rich(item)));
                }
                add(&mut body, format_args!("</{tag}>\n"));
            }
            Block::Table { head, rows } => html_table(&mut body, head, rows),
            Block::Chart => body.push_str(CHART_SLOT),
        }
    }
    format!(
        "<!DOCTYPE html>\n<html lang=\"{lang}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"supported-color-schemes\" content=\"light dark\">\n\
         <title>{title}</title>\n<style>{DARK}</style>\n</head>\n\
         <body class=\"page\" style=\"margin:0;padding:16px;background:#ffffff\">\n\
         <div class=\"page\" style=\"max-width:640px;border-top:4px solid {colour};padding-top:14px;\
         font-family:Arial,Helvetica,sans-serif;font-size:15px;line-height:1.45;color:#1b1f24\">\n{body}</div>\n\
         </body>\n</html>\n",
        lang = language.code(),
        title = escape(subject),
        colour = tone.colour(),
    )
}

fn html_table(body: &mut String, head: &[String], rows: &[Vec<String>]) {
    body.push_str("<table style=\"border-collapse:collapse;margin:0 0 14px 0;font-size:14px\">\n<tr>");
    for cell in head {
        add(
            body,
            format_args!("<th scope=\"col\" class=\"head\" style=\"{CELL};background:#eef1f5\">{}</th>", rich(cell)),
        );
    }
    body.push_str("</tr>\n");
    for row in rows {
        body.push_str("<tr>");
        for (n, cell) in row.iter().enumerate() {
            if n == 0 {
                let style = format!("{CELL};background:#eef1f5;font-weight:normal");
                add(body, format_args!("<th scope=\"row\" class=\"head\" style=\"{style}\">{}</th>", rich(cell)));
            } else {
                add(body, format_args!("<td class=\"cell\" style=\"{CELL}\">{}</td>", rich(cell)));
            }
        }
        body.push_str("</tr>\n");
    }
    body.push_str("</table>\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_become_markup() {
        let blocks = [Block::Para(format!("a {} & c", bold("<b\u{2}>\"x\"")))];
        let html = html(Language::Italian, "x</title><script>", Tone::Major, &blocks);
        assert!(html.contains("a <strong>&lt;b&gt;&quot;x&quot;</strong> &amp; c"), "{html}");
        assert!(!html.contains("<script>"));
        assert_eq!(text(&blocks), "a <b>\"x\" & c\n");
    }

    #[test]
    fn addresses_become_links_without_the_full_stop() {
        assert_eq!(
            rich("vedi https://x.example/i/1."),
            "vedi <a href=\"https://x.example/i/1\" style=\"color:#0b57a4;overflow-wrap:anywhere;word-break:break-word\">https://x.example/i/1</a>."
        );
    }

    #[test]
    fn wide_tables_break_within_their_cells() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let table = Block::Table {
            head: row(["", "lato Municipio di Cortemilia", "lato POP Cortemilia"]),
            rows: vec![row([
                "Apparato",
                "Rocket Prism 5AC Gen2, 10.38.120.111",
                "Rocket Prism 5AC Gen2, 10.38.120.112",
            ])],
        };
        let text = text(&[table]);
        assert!(text.lines().all(|l| l.chars().count() <= TABLE_COLUMNS_MAX), "{text}");
        assert_eq!(
            text,
            "          lato Municipio di Cortemilia       lato POP Cortemilia\n\
             Apparato  Rocket Prism 5AC Gen2,             Rocket Prism 5AC Gen2,\n          \
             10.38.120.111                      10.38.120.112\n"
        );
    }

    #[test]
    fn text_tables_line_up() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let table = Block::Table { head: row(["", "lato A", "lato Bene"]), rows: vec![row(["RSL", "−55", "−56"])] };
        assert_eq!(text(&[table]), "     lato A  lato Bene\nRSL  −55     −56\n");
    }
}
