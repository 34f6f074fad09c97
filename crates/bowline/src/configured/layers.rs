//! The layers that a configuration asks for.

use bowline_client::{ClientBuilder, Error};
use bowline_config::{Layer, Layers};
use bowline_resilience::{BreakerLayer, CacheLayer, HedgeLayer, InvalidSetting, LimitLayer, RetryLayer};

/// The layers around the calls of one configured server, made of what its entry says.
///
/// They stand in the order that [`resilience`](crate::resilience) explains: the cache outermost, then retry, hedge,
/// breaker, and the limits innermost. What the entry does not name is not there. Clients that are given the same one
/// share its state: connections and replicas of one server have one breaker, one set of limits, one cache.
///
/// ```
/// use bowline::config::{Configuration, Host};
/// use bowline::{Client, ConfiguredLayers};
///
/// let text = "[servers.a]\nurl = 'https://a.example/mcp'\n[servers.a.layers]\nretry = true\nlimits = { at_once = 8 }\n";
/// let config = Configuration::read(Host::Bowline, "bowline.toml", text);
/// let layers = ConfiguredLayers::new(&config.server("a")?.layers)?;
/// let builder = layers.around(Client::builder());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct ConfiguredLayers {
    cache: Option<CacheLayer>,
    retry: Option<RetryLayer>,
    hedge: Option<HedgeLayer>,
    breaker: Option<BreakerLayer>,
    limits: Option<LimitLayer>,
}

impl ConfiguredLayers {
    /// Makes the layers.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) where settings make no sense together; it names them.
    pub fn new(layers: &Layers) -> Result<Self, Error> {
        let Layers { retry, breaker, limits, hedge, cache, .. } = layers;
        Ok(Self {
            cache: made("cache", cache.as_ref(), |set| {
                let mut layer = CacheLayer::builder();
                layer = given(layer, set.ttl, |layer, ttl| layer.ttl(ttl));
                layer = given(layer, set.stale_on_error, |layer, limit| layer.stale_on_error(limit));
                given(layer, set.max_bytes, |layer, bytes| layer.max_bytes(bytes)).build()
            })?,
            retry: made("retry", retry.as_ref(), |set| {
                let mut layer = RetryLayer::builder();
                layer = given(layer, set.max_attempts, |layer, attempts| layer.max_attempts(attempts));
                layer = given(layer, set.base_delay, |layer, delay| layer.base_delay(delay));
                given(layer, set.max_delay, |layer, delay| layer.max_delay(delay)).build()
            })?,
            hedge: made("hedge", hedge.as_ref(), |set| {
                let mut layer = HedgeLayer::builder();
                layer = given(layer, set.quantile, |layer, quantile| layer.quantile(quantile));
                given(layer, set.min_delay, |layer, delay| layer.min_delay(delay)).build()
            })?,
            breaker: made("breaker", breaker.as_ref(), |set| {
                let mut layer = BreakerLayer::builder();
                layer = given(layer, set.failure_rate, |layer, rate| layer.failure_rate(rate));
                layer = given(layer, set.min_calls, |layer, calls| layer.min_calls(calls));
                layer = given(layer, set.window, |layer, window| layer.window(window));
                layer = given(layer, set.cool_down, |layer, time| layer.cool_down(time));
                given(layer, set.max_cool_down, |layer, time| layer.max_cool_down(time)).build()
            })?,
            limits: made("limits", limits.as_ref(), |set| {
                let mut layer = LimitLayer::builder();
                let per = set.per.unwrap_or(std::time::Duration::from_secs(1));
                layer = given(layer, set.at_once, |layer, calls| layer.at_once(size(calls)));
                layer = given(layer, set.rate, |layer, rate| layer.rate(rate, per));
                layer = given(layer, set.queue, |layer, calls| layer.queue(size(calls)));
                given(layer, set.max_wait, |layer, wait| layer.max_wait(wait)).build()
            })?,
        })
    }

    /// Puts them around the calls of a client, inside of the layers that it has already.
    pub fn around(&self, builder: ClientBuilder) -> ClientBuilder {
        let Self { cache, retry, hedge, breaker, limits } = self;
        let builder = given(builder, cache.clone(), ClientBuilder::layer);
        let builder = given(builder, retry.clone(), ClientBuilder::layer);
        let builder = given(builder, hedge.clone(), ClientBuilder::layer);
        let builder = given(builder, breaker.clone(), ClientBuilder::layer);
        given(builder, limits.clone(), ClientBuilder::layer)
    }

    /// The cache, to read its counters.
    pub const fn cache(&self) -> Option<&CacheLayer> {
        self.cache.as_ref()
    }

    /// The retries.
    pub const fn retry(&self) -> Option<&RetryLayer> {
        self.retry.as_ref()
    }

    /// The second attempts.
    pub const fn hedge(&self) -> Option<&HedgeLayer> {
        self.hedge.as_ref()
    }

    /// The breaker.
    pub const fn breaker(&self) -> Option<&BreakerLayer> {
        self.breaker.as_ref()
    }

    /// The limits.
    pub const fn limits(&self) -> Option<&LimitLayer> {
        self.limits.as_ref()
    }
}

fn size(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// Sets what is given.
fn given<B, T>(builder: B, value: Option<T>, set: impl FnOnce(B, T) -> B) -> B {
    match value {
        Some(value) => set(builder, value),
        None => builder,
    }
}

/// The layer that is asked for.
fn made<S, L>(
    name: &str,
    wanted: Option<&Layer<S>>,
    build: impl FnOnce(&S) -> Result<L, InvalidSetting>,
) -> Result<Option<L>, Error> {
    match wanted {
        Some(Layer::On(settings)) => {
            build(settings).map(Some).map_err(|error| crate::target::config(format!("layers.{name}: {error}")))
        }
        Some(Layer::Off) | None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use bowline_config::{Configuration, Host};

    use super::*;

    fn layers(text: &str) -> Result<ConfiguredLayers, Error> {
        let text = format!("[servers.a]\nurl = 'https://a.example/mcp'\n[servers.a.layers]\n{text}\n");
        let config = Configuration::read(Host::Bowline, "bowline.toml", &text);
        ConfiguredLayers::new(&config.server("a").unwrap_or_else(|error| panic!("{error}")).layers)
    }

    #[test]
    fn what_is_asked_for_is_there_and_nothing_else() {
        let there = |text: &str| {
            let ConfiguredLayers { cache, retry, hedge, breaker, limits } = layers(text).unwrap();
            [cache.is_some(), retry.is_some(), hedge.is_some(), breaker.is_some(), limits.is_some()]
        };
        assert_eq!(there(""), [false; 5]);
        assert_eq!(there("cache = true\nretry = true\nhedge = true\nbreaker = true\nlimits = true"), [true; 5]);
        assert_eq!(there("cache = false\nretry = { max_attempts = 2 }"), [false, true, false, false, false]);
    }

    #[test]
    fn settings_that_make_no_sense_are_told_by_their_names() {
        // Longer than a day.
        let error = layers("cache = { ttl = '48h' }").unwrap_err();
        assert_eq!(error.kind(), bowline_client::ErrorKind::Config);
        assert!(error.to_string().contains("layers.cache: ttl is"), "{error}");
    }
}
