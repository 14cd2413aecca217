//! What types cannot say: names that lead nowhere, and what is allowed and hardly meant.

use std::{collections::HashSet, fmt};

use battlement_core::preflight;
use http::{HeaderMap, Uri};

use super::{Config, Family, Model, Provider, Target, Unusable, read::closest};

/// Something that is allowed, and hardly meant. Shown as a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Warning(String);

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Provider {
    /// What it speaks.
    pub(crate) fn families(&self) -> &[Family] {
        self.speaks.as_deref().unwrap_or(self.kind.families())
    }

    /// Its address, without what the paths of requests begin with.
    pub(crate) fn base(&self) -> Option<&str> {
        let base = match &self.base_url {
            Some(base) => base.as_ref().as_str(),
            None => self.kind.base_url()?,
        };
        let base = base.trim_end_matches('/');
        // SDKs take it with, so that it is copied so.
        Some(base.strip_suffix("/v1").or_else(|| base.strip_suffix("/v1beta")).unwrap_or(base))
    }

    fn ways_to_a_key(&self) -> usize {
        let one = [self.key_env.is_some(), self.key_file.is_some(), self.key.is_some()];
        one.into_iter().filter(|is| *is).count() + usize::from(!self.keys.is_empty())
    }
}

impl Config {
    /// Says what is wrong, with its line in this text.
    pub(super) fn check(&self, text: &str) -> Result<(), Unusable> {
        for (name, provider) in &self.providers {
            let unfit = |message: String| Unusable::Unfit(format!("provider `{name}`: {message}"));
            if provider.ways_to_a_key() > 1 {
                let message = "has more than one of `key_env`, `key_file`, `key` and `keys`";
                return Err(unfit(message.into()));
            }
            if provider.pass_key && provider.ways_to_a_key() > 0 {
                return Err(unfit("has a key, and passes on that of the client".into()));
            }
            if provider.pass_key && !self.clients.is_empty() {
                let message = "cannot pass on the key of a client, as that is for this gateway: there are `clients`";
                return Err(unfit(message.into()));
            }
            if provider.base().is_none() {
                let kind = provider.kind.as_str();
                return Err(unfit(format!("needs a `base_url`, since `{kind}` has no usual one")));
            }
            if provider.families().is_empty() {
                return Err(unfit("speaks nothing".into()));
            }
        }
        let mut names = HashSet::new();
        for model in &self.models {
            let name = model.name.as_ref().as_str();
            let wrong = |message: String| Err(Unusable::at(text, model.name.span(), message));
            if name.is_empty() || name.trim_end_matches('*').contains('*') || name.ends_with("**") {
                return wrong(format!(
                    "`{name}` is no name of a model; a `*` may stand at its end only"
                ));
            }
            if !names.insert(name) {
                return wrong(format!("there are two models `{name}`"));
            }
            if model.to.as_ref().is_empty() {
                return Err(Unusable::at(text, model.to.span(), format!("`{name}` leads nowhere")));
            }
            for target in model.to.as_ref() {
                let provider = target.provider.as_ref();
                if !self.providers.contains_key(provider) {
                    let known = self.providers.keys().map(String::as_str);
                    let meant =
                        closest(provider, known).map(|meant| format!("; did you mean `{meant}`?"));
                    let message =
                        format!("there is no provider `{provider}`{}", meant.unwrap_or_default());
                    return Err(Unusable::at(text, target.provider.span(), message));
                }
            }
            if let Some((target, message)) = self.strangers(model) {
                return Err(Unusable::at(text, target.provider.span(), message));
            }
        }
        let mut names = HashSet::new();
        for client in &self.clients {
            let name = client.name.as_ref().as_str();
            if !names.insert(name) {
                let message = format!("there are two clients `{name}`");
                return Err(Unusable::at(text, client.name.span(), message));
            }
        }
        Ok(())
    }

    /// The first provider of a model that would get a key that is for another one, if a client brought it.
    fn strangers<'a>(&self, model: &'a Model) -> Option<(&'a Target, String)> {
        let mut before: Vec<(&str, &Provider)> = Vec::new();
        for target in model.to.as_ref() {
            let name = target.provider.as_ref().as_str();
            let Some(provider) = self.providers.get(name).filter(|one| one.pass_key) else {
                continue;
            };
            // Only those that speak the same are asked the same.
            let meets = |other: &Provider| {
                let spoken = other.families();
                other.base() != provider.base()
                    && provider.families().iter().any(|family| spoken.contains(family))
            };
            if let Some((other, _)) = before.iter().find(|(_, other)| meets(other)) {
                let message = format!(
                    "`{other}` and `{name}` both pass on the key of the client (`pass_key`): one would get the key for \
                     the other"
                );
                return Some((target, message));
            }
            before.push((name, provider));
        }
        None
    }

    /// Says what is hardly meant.
    pub(crate) fn warnings(&self) -> Vec<Warning> {
        let mut warnings = Vec::new();
        let mut warn = |text: String| warnings.push(Warning(text));
        for (name, provider) in &self.providers {
            if provider.key.is_some() {
                warn(format!(
                    "provider `{name}`: the key is in the configuration itself, where it ends up in backups and \
                     version control; use `key_env` or `key_file`"
                ));
            }
            if provider.ways_to_a_key() == 0 && !provider.pass_key && provider.kind.needs_key() {
                warn(format!(
                    "provider `{name}`: no key is sent; set `key_env`, `key_file` or `pass_key`"
                ));
            }
            for secret in provider.secrets().into_iter().flatten() {
                let (header, before) = provider.kind.key_header();
                let value = secret.header(before);
                let headers: HeaderMap =
                    value.into_iter().map(|value| (header.clone(), value)).collect();
                let uri = Uri::from_static("/");
                if preflight::key(provider.kind.provider(), &headers, &uri).is_some() {
                    warn(format!("provider `{name}`: the key is a placeholder"));
                }
            }
            if provider.pass_key && !self.listen.ip().is_loopback() {
                warn(format!(
                    "provider `{name}`: keys of clients are taken over an unencrypted connection, and others can \
                     reach {}",
                    self.listen
                ));
            }
            let base = provider.base().unwrap_or_default();
            let is_near = ["http://127.", "http://localhost", "http://[::1]"]
                .iter()
                .any(|near| base.starts_with(near));
            if base.starts_with("http://") && !is_near && provider.ways_to_a_key() > 0 {
                warn(format!("provider `{name}`: the key goes out unencrypted, to {base}"));
            }
        }
        for model in &self.models {
            let Some(first) = model.to.as_ref().first() else { continue };
            let spoken = |name: &str| self.providers.get(name).map_or(&[][..], Provider::families);
            let first_spoken = spoken(first.provider.as_ref());
            for target in &model.to.as_ref()[1..] {
                if !spoken(target.provider.as_ref())
                    .iter()
                    .any(|family| first_spoken.contains(family))
                {
                    warn(format!(
                        "model `{}`: `{}` never stands in for `{}`, as they speak different APIs, and requests are \
                         not translated",
                        model.name.as_ref(),
                        target.provider.as_ref(),
                        first.provider.as_ref(),
                    ));
                }
            }
        }
        if self.clients.is_empty() && !self.listen.ip().is_loopback() {
            warn(format!(
                "everybody who can reach {} can spend your keys: there are no `clients`",
                self.listen
            ));
        }
        warnings
    }
}
