//! Style, script and icon, inside the program: the page works without Internet access and without a build step.

use std::sync::LazyLock;

pub struct Asset {
    pub path: &'static str,
    pub content_type: &'static str,
    pub text: &'static str,
}

/// Everything a page may load.
pub static ALL: [Asset; 3] = [
    Asset { path: "page.css", content_type: "text/css; charset=utf-8", text: include_str!("assets/page.css") },
    Asset { path: "page.js", content_type: "text/javascript; charset=utf-8", text: include_str!("assets/page.js") },
    Asset { path: "icon.svg", content_type: "image/svg+xml", text: include_str!("assets/icon.svg") },
];

/// The asset of that name.
pub fn find(path: &str) -> Option<&'static Asset> {
    ALL.iter().find(|a| a.path == path)
}

/// A short word that changes whenever an asset does; part of their addresses, so that browsers may keep them.
pub fn version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| {
        let mut hasher = crc32fast::Hasher::new();
        for asset in &ALL {
            hasher.update(asset.text.as_bytes());
        }
        format!("{:08x}", hasher.finalize())
    });
    &VERSION
}
