//! The few letters that a chart needs, as strokes on a grid four wide and six high: digits, the minus and the colon,
//! and the units Mbps and dBm. So a chart is the same in every language, and no font has to be shipped. `[P]`

/// Width of a letter with the space after it, in units of the grid.
const ADVANCE: f32 = 5.6;
/// Width of a space.
const SPACE: f32 = 2.8;
/// Height of a capital letter, in units of the grid.
pub const HEIGHT: f32 = 6.0;

type Stroke = &'static [(f32, f32)];

/// The strokes of a letter; of one that is not known none.
fn strokes(letter: char) -> &'static [Stroke] {
    match letter {
        '0' => &[&[(1., 0.), (3., 0.), (4., 1.), (4., 5.), (3., 6.), (1., 6.), (0., 5.), (0., 1.), (1., 0.)]],
        '1' => &[&[(0.6, 1.2), (2.2, 0.), (2.2, 6.)]],
        '2' => &[&[(0., 1.), (1., 0.), (3., 0.), (4., 1.), (4., 2.2), (0., 6.), (4., 6.)]],
        '3' => &[
            &[(0., 0.8), (1., 0.), (3., 0.), (4., 1.), (4., 2.), (3., 3.), (1.5, 3.)],
            &[(3., 3.), (4., 4.), (4., 5.), (3., 6.), (1., 6.), (0., 5.2)],
        ],
        '4' => &[&[(3., 6.), (3., 0.), (0., 4.2), (4., 4.2)]],
        '5' => &[&[
            (3.8, 0.),
            (0.5, 0.),
            (0.2, 2.8),
            (1., 2.3),
            (3., 2.3),
            (4., 3.3),
            (4., 5.),
            (3., 6.),
            (1., 6.),
            (0., 5.2),
        ]],
        '6' => &[&[
            (3.6, 0.4),
            (2.8, 0.),
            (1.2, 0.),
            (0., 1.3),
            (0., 5.),
            (1., 6.),
            (3., 6.),
            (4., 5.),
            (4., 3.6),
            (3., 2.6),
            (1., 2.6),
            (0., 3.5),
        ]],
        '7' => &[&[(0., 0.), (4., 0.), (1.6, 6.)]],
        '8' => &[
            &[(1., 0.), (3., 0.), (4., 1.), (4., 2.), (3., 3.), (1., 3.), (0., 2.), (0., 1.), (1., 0.)],
            &[(1., 3.), (0., 4.), (0., 5.), (1., 6.), (3., 6.), (4., 5.), (4., 4.), (3., 3.)],
        ],
        '9' => &[&[
            (0.4, 5.6),
            (1.2, 6.),
            (2.8, 6.),
            (4., 4.7),
            (4., 1.),
            (3., 0.),
            (1., 0.),
            (0., 1.),
            (0., 2.4),
            (1., 3.4),
            (3., 3.4),
            (4., 2.5),
        ]],
        '−' => &[&[(0.4, 3.2), (3.6, 3.2)]],
        ':' => &[&[(2., 2.), (2., 2.2)], &[(2., 5.), (2., 5.2)]],
        'M' => &[&[(0., 6.), (0., 0.), (2., 3.4), (4., 0.), (4., 6.)]],
        'B' => &[
            &[(3., 3.), (0., 3.), (0., 0.), (2.8, 0.), (3.7, 0.9), (3.7, 2.2), (3., 3.)],
            &[(0., 3.), (0., 6.), (3., 6.), (4., 5.), (4., 4.), (3., 3.)],
        ],
        'b' => {
            &[&[(0., 0.), (0., 6.)], &[(0., 3.), (1., 2.), (3., 2.), (4., 3.), (4., 5.), (3., 6.), (1., 6.), (0., 5.)]]
        }
        'd' => {
            &[&[(4., 0.), (4., 6.)], &[(4., 3.), (3., 2.), (1., 2.), (0., 3.), (0., 5.), (1., 6.), (3., 6.), (4., 5.)]]
        }
        'p' => {
            &[&[(0., 2.), (0., 8.)], &[(0., 3.), (1., 2.), (3., 2.), (4., 3.), (4., 5.), (3., 6.), (1., 6.), (0., 5.)]]
        }
        'm' => &[
            &[(0., 6.), (0., 2.)],
            &[(0., 3.), (1., 2.), (2., 3.), (2., 6.)],
            &[(2., 3.), (3., 2.), (4., 3.), (4., 6.)],
        ],
        's' => &[&[
            (3.8, 2.8),
            (3., 2.),
            (1., 2.),
            (0.2, 2.8),
            (0.8, 3.7),
            (3.2, 4.3),
            (3.8, 5.2),
            (3., 6.),
            (1., 6.),
            (0., 5.2),
        ]],
        _ => &[],
    }
}

fn advance(letter: char) -> f32 {
    if letter == ' ' { SPACE } else { ADVANCE }
}

/// How wide a text is, in units of the grid.
pub fn width(text: &str) -> f32 {
    text.chars().map(advance).sum::<f32>() - (ADVANCE - 4.0)
}

/// All strokes of a text, in units of the grid from its upper left corner.
pub fn lines(text: &str) -> Vec<Vec<(f32, f32)>> {
    let mut out = Vec::new();
    let mut left = 0.0;
    for letter in text.chars() {
        out.extend(strokes(letter).iter().map(|stroke| stroke.iter().map(|(x, y)| (x + left, *y)).collect()));
        left += advance(letter);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_of_a_label_is_there_and_stays_in_its_grid() {
        for letter in "0123456789−:Mbps dBm".chars().filter(|c| *c != ' ') {
            assert!(!strokes(letter).is_empty(), "{letter}");
            let points = strokes(letter).iter().flat_map(|s| s.iter());
            for (x, y) in points {
                assert!((0.0..=4.0).contains(x) && (0.0..=8.0).contains(y), "{letter}: {x}, {y}");
            }
        }
        assert_eq!(width("12"), 9.6);
        assert_eq!(lines("1 7").len(), 2);
    }
}
