//! The map: coordinates to points of an SVG drawing, with labels that do not collide. `[P]`

use std::collections::BTreeMap;

/// Width of the drawing, in its own units.
pub const WIDTH: f64 = 1000.0;
/// The drawing is never taller or flatter than this, whatever the network's shape.
const HEIGHT_MIN: f64 = 420.0;
const HEIGHT_MAX: f64 = 1150.0;
const MARGIN: f64 = 70.0;
/// Width of a letter and height of a line at the label's size, a little generous.
const LETTER: f64 = 10.6;
const LINE: f64 = 24.0;
/// Length of the stub by which a backhaul leaves its site.
const STUB: f64 = 46.0;

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    pub x: f64,
    pub y: f64,
}

/// Which way the text goes from its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

impl Anchor {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::End => "end",
        }
    }
}

/// Where coordinates fall on the drawing.
#[derive(Debug, Clone)]
pub struct Projection {
    west: f64,
    north: f64,
    /// Units a degree of longitude, and of latitude.
    scale_x: f64,
    scale_y: f64,
    offset: Point,
    pub height: f64,
}

impl Projection {
    /// Fits all the places (latitude, longitude) into the drawing. Equirectangular around the middle latitude: over a
    /// mountain union the error is far below a pixel. `None` without places.
    pub fn fit(places: &[(f64, f64)]) -> Option<Self> {
        let mut usable = places.iter().filter(|(lat, lon)| lat.is_finite() && lon.is_finite());
        let &(lat, lon) = usable.next()?;
        let (mut south, mut north, mut west, mut east) = (lat, lat, lon, lon);
        for &(lat, lon) in usable {
            (south, north) = (south.min(lat), north.max(lat));
            (west, east) = (west.min(lon), east.max(lon));
        }
        let narrowing = f64::midpoint(south, north).to_radians().cos().max(0.05);
        // One place, or several at one point, still get a drawing: a span of some 100 m.
        let (span_x, span_y) = (((east - west) * narrowing).max(1e-3), (north - south).max(1e-3));
        let inner = WIDTH - 2.0 * MARGIN;
        let height = (span_y / span_x * inner + 2.0 * MARGIN).clamp(HEIGHT_MIN, HEIGHT_MAX);
        let scale = (inner / span_x).min((height - 2.0 * MARGIN) / span_y);
        let offset =
            Point { x: (WIDTH - (east - west) * narrowing * scale) / 2.0, y: (height - (north - south) * scale) / 2.0 };
        Some(Self { west, north, scale_x: scale * narrowing, scale_y: scale, offset, height })
    }

    pub fn point(&self, lat: f64, lon: f64) -> Point {
        Point {
            x: self.offset.x + (lon - self.west) * self.scale_x,
            y: self.offset.y + (self.north - lat) * self.scale_y,
        }
    }

    /// The far end of a backhaul's stub: away from the middle of the drawing.
    pub fn stub(&self, from: Point) -> Point {
        let (dx, dy) = (from.x - WIDTH / 2.0, from.y - self.height / 2.0);
        let length = dx.hypot(dy);
        let (ux, uy) = if length < 1.0 { (0.0, -1.0) } else { (dx / length, dy / length) };
        Point {
            x: (from.x + ux * STUB).clamp(12.0, WIDTH - 12.0),
            y: (from.y + uy * STUB).clamp(12.0, self.height - 12.0),
        }
    }
}

/// Where a label may stand, as offsets from its point, best first.
const PLACES: [(f64, f64, Anchor); 8] = [
    (13.0, 7.0, Anchor::Start),
    (-13.0, 7.0, Anchor::End),
    (0.0, -15.0, Anchor::Middle),
    (0.0, 30.0, Anchor::Middle),
    (10.0, -9.0, Anchor::Start),
    (-10.0, -9.0, Anchor::End),
    (10.0, 23.0, Anchor::Start),
    (-10.0, 23.0, Anchor::End),
];

/// A label that found room: where its text starts.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    pub at: Point,
    pub anchor: Anchor,
}

#[derive(Debug, Clone, Copy)]
struct Rectangle {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Rectangle {
    fn hits(&self, other: &Self) -> bool {
        self.left < other.right && other.left < self.right && self.top < other.bottom && other.top < self.bottom
    }

    /// Whether a segment passes through (the clipping of Liang and Barsky, 1984).
    fn crossed_by(&self, from: Point, to: Point) -> bool {
        let (dx, dy) = (to.x - from.x, to.y - from.y);
        let (mut enter, mut leave) = (0.0_f64, 1.0_f64);
        for (p, q) in
            [(-dx, from.x - self.left), (dx, self.right - from.x), (-dy, from.y - self.top), (dy, self.bottom - from.y)]
        {
            if p == 0.0 {
                if q < 0.0 {
                    return false;
                }
            } else if p < 0.0 {
                enter = enter.max(q / p);
            } else {
                leave = leave.min(q / p);
            }
        }
        enter <= leave
    }

    fn of_text(at: Point, anchor: Anchor, letters: usize) -> Self {
        let width = letters as f64 * LETTER;
        let left = match anchor {
            Anchor::Start => at.x,
            Anchor::Middle => at.x - width / 2.0,
            Anchor::End => at.x - width,
        };
        Self { left, top: at.y - LINE * 0.8, right: left + width, bottom: at.y + LINE * 0.2 }
    }
}

/// Beyond so many lines labels no longer look for a place that no line crosses: every place is crossed, and the search
/// would cost more than the rest of the page.
const LINES_MAX: usize = 200;

/// Gives each label a place beside its point, the first ones first, where no line crosses it if there is one; a label
/// that finds no room is left out (the site keeps its tooltip, and the tables have it). `taken`: points that no text
/// may cover, with their radius.
pub fn place_labels(
    labels: &[(Point, &str)],
    taken: &[(Point, f64)],
    lines: &[(Point, Point)],
    height: f64,
) -> BTreeMap<usize, Placed> {
    let lines = if lines.len() > LINES_MAX { &[] } else { lines };
    let mut used: Vec<Rectangle> =
        taken.iter().map(|(p, r)| Rectangle { left: p.x - r, top: p.y - r, right: p.x + r, bottom: p.y + r }).collect();
    let mut placed = BTreeMap::new();
    for (i, (point, text)) in labels.iter().enumerate() {
        let mut crossed = None;
        for (dx, dy, anchor) in PLACES {
            let at = Point { x: point.x + dx, y: point.y + dy };
            let room = Rectangle::of_text(at, anchor, text.chars().count());
            let inside =
                room.left >= 2.0 && room.right <= WIDTH - 2.0 && room.top >= 2.0 && room.bottom <= height - 2.0;
            if !inside || used.iter().any(|u| u.hits(&room)) {
                continue;
            }
            let found = (room, Placed { at, anchor });
            if !lines.iter().any(|(from, to)| room.crossed_by(*from, *to)) {
                crossed = Some(found);
                break;
            }
            crossed.get_or_insert(found);
        }
        if let Some((room, label)) = crossed {
            used.push(room);
            placed.insert(i, label);
        }
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn north_is_up_and_distances_keep_their_proportion() {
        let places = [(44.4, 8.0), (44.7, 8.2)];
        let p = Projection::fit(&places).unwrap();
        let (south_west, north_east) = (p.point(44.4, 8.0), p.point(44.7, 8.2));
        assert!(south_west.y > north_east.y && south_west.x < north_east.x);
        // 0.3 degrees of latitude are 33.4 km, 0.2 of longitude at 44.55 degrees 15.8 km (111.32 km a degree).
        let ratio = (south_west.y - north_east.y) / (north_east.x - south_west.x);
        assert!((ratio - 33.4 / 15.86).abs() < 0.02, "{ratio}");
    }

    #[test]
    fn one_site_or_none_still_draws() {
        assert!(Projection::fit(&[]).is_none());
        assert!(Projection::fit(&[(f64::NAN, 8.0)]).is_none());
        let p = Projection::fit(&[(44.5, 8.0), (44.5, 8.0)]).unwrap();
        let at = p.point(44.5, 8.0);
        assert!((at.x - WIDTH / 2.0).abs() < 1e-6 && (at.y - p.height / 2.0).abs() < 1e-6);
        assert!((p.stub(at).y - (at.y - STUB)).abs() < 1e-6);
    }

    #[test]
    fn a_label_avoids_the_lines_where_it_can() {
        let at = Point { x: 500.0, y: 300.0 };
        let east = (at, Point { x: 900.0, y: 300.0 });
        let west = (at, Point { x: 100.0, y: 300.0 });
        let anchor = |lines: &[(Point, Point)]| place_labels(&[(at, "Igliano")], &[], lines, 600.0)[&0].anchor;
        assert_eq!(anchor(&[]), Anchor::Start);
        assert_eq!(anchor(&[east]), Anchor::End);
        assert_eq!(anchor(&[east, west]), Anchor::Middle);
    }

    proptest! {
        #[test]
        fn every_place_falls_inside_and_no_two_labels_touch(
            places in proptest::collection::vec((44.0..45.0_f64, 7.0..9.0_f64), 1..60),
        ) {
            let p = Projection::fit(&places).unwrap();
            let points: Vec<Point> = places.iter().map(|&(lat, lon)| p.point(lat, lon)).collect();
            for point in &points {
                prop_assert!(point.x > 0.0 && point.x < WIDTH && point.y > 0.0 && point.y < p.height);
            }
            let labels: Vec<(Point, &str)> = points.iter().map(|&p| (p, "Castelletto")).collect();
            let placed = place_labels(&labels, &[], &[], p.height);
            let boxes: Vec<Rectangle> =
                placed.values().map(|l| Rectangle::of_text(l.at, l.anchor, "Castelletto".len())).collect();
            for (i, a) in boxes.iter().enumerate() {
                for b in &boxes[i + 1..] {
                    prop_assert!(!a.hits(b));
                }
            }
        }
    }
}
