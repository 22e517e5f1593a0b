//! Makes the bucket that the hub writes to, and sets how long it keeps what is in it. Asked twice, it changes nothing.
//!
//! InfluxDB 2 API: `/api/v2/orgs`, `/api/v2/buckets` (retention rules of type `expire`).

use std::time::Duration;

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use serde::Serialize;
use serde_json::{Value, json};

use super::{InfluxError, Pace, authorization, client, judge};
use crate::config::secret::Secret;
use crate::config::settings::InfluxSettings;

/// What is read of an answer's body: a list of one bucket with its labels and links.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// InfluxDB takes no shorter retention.
pub const KEEP_MIN: Duration = Duration::from_hours(1);

#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error(transparent)]
    Settings(#[from] InfluxError),
    #[error("InfluxDB cannot be reached at {url}")]
    Unreachable { url: String, source: reqwest::Error },
    #[error("the token is not valid for {url} ({words}): make one there and name its file as influx.token_file")]
    Unauthorized { url: String, words: String },
    #[error("there is no organization {org:?}, or the token may not see it: influx.org names one that it belongs to")]
    NoOrganization { org: String },
    #[error(
        "the token may not {what} ({words}): use one that may read and write buckets of the organization {org:?}, such \
         as an all-access token, for this command only; the hub itself needs no more than to write into the bucket"
    )]
    Forbidden { what: String, org: String, words: String },
    #[error("{url} does not answer as InfluxDB 2 ({words}): other stores that take its lines have no buckets to make")]
    NotInflux { url: String, words: String },
}

/// What was done with a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Created,
    /// It was there, and kept its points for another time.
    Changed,
    Unchanged,
}

/// A bucket as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BucketReport {
    pub name: String,
    pub action: Action,
    /// How long it keeps points, seconds; 0: forever.
    pub keep_secs: u64,
    /// How long it kept them before it was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept_before_secs: Option<u64>,
}

struct Api<'a> {
    client: reqwest::Client,
    base: reqwest::Url,
    authorization: Option<HeaderValue>,
    settings: &'a InfluxSettings,
    pace: Pace,
}

/// Makes the bucket of the settings, or changes its retention, where that is needed. `keep` of `None`: forever.
pub async fn init(
    settings: &InfluxSettings,
    token: Option<&Secret>,
    keep: Option<Duration>,
) -> Result<BucketReport, SetupError> {
    let pace = Pace::default();
    let base = reqwest::Url::parse(&format!("{}/", settings.url.trim_end_matches('/')))
        .map_err(|_| InfluxError::Url(settings.url.clone()))?;
    let client = client(settings, &base, &pace)?;
    let authorization = token.map(authorization).transpose()?;
    let api = Api { client, base, authorization, settings, pace };
    let organization = api.organization().await?;
    let name = settings.bucket.clone();
    let keep_secs = keep.map_or(0, |keep| keep.as_secs());
    let rules = match keep_secs {
        0 => json!([]),
        secs => json!([{ "type": "expire", "everySeconds": secs }]),
    };
    let Some((id, kept)) = api.bucket(&organization).await? else {
        let body = json!({ "orgID": organization, "name": name, "retentionRules": rules });
        api.ask(Method::POST, "api/v2/buckets", &[], Some(body), "make buckets").await?;
        return Ok(BucketReport { name, action: Action::Created, keep_secs, kept_before_secs: None });
    };
    if kept == keep_secs {
        return Ok(BucketReport { name, action: Action::Unchanged, keep_secs, kept_before_secs: None });
    }
    let body = json!({ "retentionRules": rules });
    api.ask(Method::PATCH, &format!("api/v2/buckets/{id}"), &[], Some(body), "change the bucket").await?;
    Ok(BucketReport { name, action: Action::Changed, keep_secs, kept_before_secs: Some(kept) })
}

impl Api<'_> {
    /// The id of the organization.
    async fn organization(&self) -> Result<String, SetupError> {
        let org = self.settings.org.as_str();
        let found = self.ask(Method::GET, "api/v2/orgs", &[("org", org)], None, "look for the organization").await?;
        let none = || SetupError::NoOrganization { org: org.to_owned() };
        let all = found.as_ref().ok_or_else(none)?["orgs"].as_array().cloned().unwrap_or_default();
        let id = all.iter().find(|o| o["name"] == org).and_then(|o| o["id"].as_str());
        id.map(str::to_owned).ok_or_else(none)
    }

    /// Id and retention in seconds (0: forever) of the bucket, if it is there.
    async fn bucket(&self, organization: &str) -> Result<Option<(String, u64)>, SetupError> {
        let name = self.settings.bucket.as_str();
        let query = [("orgID", organization), ("name", name)];
        let found = self.ask(Method::GET, "api/v2/buckets", &query, None, "look for buckets").await?;
        let all = found.and_then(|f| f["buckets"].as_array().cloned()).unwrap_or_default();
        let Some(bucket) = all.into_iter().find(|b| b["name"] == name) else { return Ok(None) };
        let rules = bucket["retentionRules"].as_array().cloned().unwrap_or_default();
        let keep = rules.iter().find(|r| r["type"] == "expire").and_then(|r| r["everySeconds"].as_u64());
        let Some(id) = bucket["id"].as_str() else { return Err(self.not_influx("a bucket without an id")) };
        Ok(Some((id.to_owned(), keep.unwrap_or(0))))
    }

    fn not_influx(&self, words: &str) -> SetupError {
        SetupError::NotInflux { url: self.settings.url.clone(), words: words.to_owned() }
    }

    /// One request; `None`: there is no such thing. `what` is what the token should allow.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<Value>,
        what: &str,
    ) -> Result<Option<Value>, SetupError> {
        let mut url = self.base.join(path).map_err(|_| InfluxError::Url(self.settings.url.clone()))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = self.client.request(method, url).timeout(self.pace.request);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        let unreachable =
            |e: reqwest::Error| SetupError::Unreachable { url: self.settings.url.clone(), source: e.without_url() };
        let mut response = request.send().await.map_err(unreachable)?;
        let status = response.status().as_u16();
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            bytes.extend_from_slice(&chunk[..chunk.len().min(ANSWER_BYTES_MAX - bytes.len())]);
            if bytes.len() == ANSWER_BYTES_MAX {
                break;
            }
        }
        let words = format!("{status} {}", judge::words(&bytes));
        let (url, org) = (self.settings.url.clone(), self.settings.org.clone());
        let parsed = serde_json::from_slice::<Value>(&bytes);
        match (status, parsed) {
            (200 | 201, Ok(value)) => Ok(Some(value)),
            // InfluxDB 2 answers 401 to a good token too: "write:orgs/…/buckets is unauthorized" where it lacks rights.
            (401, _) if words.ends_with(" is unauthorized") => {
                Err(SetupError::Forbidden { what: what.to_owned(), org, words })
            }
            (401, _) => Err(SetupError::Unauthorized { url, words }),
            (403, _) => Err(SetupError::Forbidden { what: what.to_owned(), org, words }),
            // InfluxDB says so in JSON; whoever does not know the path at all, in other words.
            (404, Ok(value)) if value["code"] == "not found" => Ok(None),
            _ => Err(self.not_influx(&words)),
        }
    }
}

#[cfg(test)]
mod tests;
