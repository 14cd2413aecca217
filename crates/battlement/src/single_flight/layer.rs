//! The layer, its settings, and who joins whom.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use battlement_core::request::canonical::Fingerprint;
use bytes::Bytes;
use foldhash::fast::RandomState;
use http::{HeaderName, Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::{
    Body, ResponseFuture,
    flight::{Flight, Seat},
    future::{Again, Participant},
    upstream::Below,
};
use crate::{
    call::{Attempt, Caching, Call, Place, Reads, take_bytes},
    clock::now,
    drive::Drive,
    error::BoxError,
    events::Event,
    hold::MOST_HELD,
    observe::{Attempted, Settling},
    sameness::{Sameness, may_share},
};

/// Lets those who ask the same at the same time share one call; see the [module documentation](super).
#[derive(Clone)]
#[must_use]
pub struct SingleFlightLayer {
    policy: Policy,
}

/// What holds for all calls.
#[derive(Clone)]
pub(super) struct Policy {
    sameness: Sameness,
    most: usize,
    flights: Arc<Flights>,
}

/// The calls that may be joined. One lock, held for a look-up.
#[derive(Default)]
struct Flights(Mutex<HashMap<Fingerprint, Shared, RandomState>>);

#[derive(Clone)]
struct Shared {
    flight: Arc<Flight>,
    /// The one that it is made for.
    call: Call,
}

impl Default for SingleFlightLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl SingleFlightLayer {
    /// For requests that ask for the same answer each time, holding a megabyte of each.
    pub fn new() -> Self {
        let sameness = Sameness { by_key: true, ..Sameness::default() };
        Self { policy: Policy { sameness, most: MOST_HELD, flights: Arc::default() } }
    }

    /// Shares calls whatever the temperature is: those who ask at the same time get the same.
    pub fn any_temperature(mut self) -> Self {
        self.policy.sameness.any = true;
        self
    }

    /// Shares calls among all callers, whatever their tenant or API key is.
    pub fn shared(mut self) -> Self {
        self.policy.sameness.shared = true;
        self
    }

    /// A header that changes answers, such as one by which a proxy chooses the model. Those of the providers are known.
    pub fn header(mut self, name: HeaderName) -> Self {
        self.policy.sameness.headers.push(name);
        self
    }

    /// How much of an answer is held in memory for those who read it later than others: 1 MiB unless told otherwise. Nobody joins
    /// an answer that has become longer, and who is further behind loses it.
    pub fn most_held(mut self, bytes: usize) -> Self {
        self.policy.most = bytes;
        self
    }

    /// How many calls may be joined now.
    pub fn flights(&self) -> usize {
        self.policy.flights.lock().len()
    }
}

impl<S> Layer<S> for SingleFlightLayer {
    type Service = Reads<SingleFlight<S>>;

    fn layer(&self, inner: S) -> Self::Service {
        Reads::before(SingleFlight { inner, policy: Arc::new(self.policy.clone()) })
    }
}

/// Lets those who ask the same at the same time share one call; see the [module documentation](super).
#[derive(Clone, Debug)]
pub struct SingleFlight<S> {
    inner: S,
    policy: Arc<Policy>,
}

impl Flights {
    fn lock(&self) -> MutexGuard<'_, HashMap<Fingerprint, Shared, RandomState>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A seat in a call that is on its way, or the first one in another.
    fn board(&self, key: Fingerprint, call: &Call, most: usize) -> (Seat, bool) {
        let mut flights = self.lock();
        if let Some(shared) = flights.get(&key) {
            if is_in_time(&shared.call, call) {
                if let Some(seat) = shared.flight.join() {
                    return (seat, false);
                }
            }
        }
        let flight = Arc::new(Flight::new(most));
        let seat = flight.join().expect("it has not begun");
        let replaced = flights.insert(key, Shared { flight, call: call.clone() });
        drop(flights);
        // It may be the last to hold it.
        drop(replaced);
        (seat, true)
    }

    /// Nobody joins this one any longer.
    fn close(&self, key: &Fingerprint, flight: &Arc<Flight>) {
        let mut flights = self.lock();
        let is_there = flights.get(key).is_some_and(|shared| Arc::ptr_eq(&shared.flight, flight));
        let gone = if is_there { flights.remove(key) } else { None };
        drop(flights);
        drop(gone);
    }
}

/// Whether a call that joins another one is no worse off than by itself: that has at least as much time in all as this one has
/// left, and so whatever would come in time comes in time.
fn is_in_time(shared: &Call, call: &Call) -> bool {
    let all = shared.deadline().remaining(shared.started());
    match (all, call.deadline().remaining(now())) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(all), Some(left)) => all >= left,
    }
}

impl Policy {
    /// Nobody joins this one any longer.
    pub(super) fn forget(&self, key: &Fingerprint, flight: &Arc<Flight>) {
        self.flights.close(key, flight);
    }
}

/// A seat that knows where its flight is found.
#[derive(Debug)]
pub(super) struct Booked {
    /// `None` only while it is dropped.
    seat: Option<Seat>,
    pub(super) key: Fingerprint,
    pub(super) policy: Arc<Policy>,
}

impl Booked {
    pub(super) fn seat(&self) -> &Seat {
        self.seat.as_ref().expect(SEATED)
    }

    pub(super) fn seat_mut(&mut self) -> &mut Seat {
        self.seat.as_mut().expect(SEATED)
    }
}

const SEATED: &str = "there until it is dropped";

impl Drop for Booked {
    fn drop(&mut self) {
        let Some(seat) = self.seat.take() else { return };
        let flight = seat.flight().clone();
        drop(seat);
        // It is over, or this was the last one.
        if flight.is_closed() {
            self.policy.forget(&self.key, &flight);
        }
    }
}

/// Below which nothing has set off yet.
struct Starting<'a>(Option<&'a Arc<Flight>>);

impl Drop for Starting<'_> {
    fn drop(&mut self) {
        if let Some(flight) = self.0 {
            flight.crash();
        }
    }
}

/// Takes a seat, and sets off if it is the first one.
pub(super) fn take_part<S, B, R>(
    policy: &Arc<Policy>,
    inner: &mut S,
    key: Fingerprint,
    attempt: Attempt,
    mut request: Request<B>,
) -> (Participant, Option<Box<Again<S, B>>>)
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Error: Into<BoxError> + Send,
    S::Future: Send + 'static,
    B: Send + 'static,
    R: http_body::Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    let (seat, is_first) = policy.flights.board(key, attempt.call(), policy.most);
    let flight = seat.flight().clone();
    let booked = Booked { seat: Some(seat), key, policy: policy.clone() };
    if !is_first {
        attempt.call().report(&Event::Joined);
        let again = Again { service: inner.clone(), request };
        return (Participant::new(booked, attempt, None), Some(Box::new(again)));
    }
    let made = attempt.again();
    // Whoever has it in its account has this, too.
    if attempt.is_counted() {
        made.count();
    }
    let participant = Participant::new(booked, attempt, Some(made.clone()));
    request.extensions_mut().insert(made.clone());
    let mut starting = Starting(Some(&flight));
    // There before the service is called: a panic gives it back.
    let settling = Settling::new(made, ());
    let drive = Drive::start(inner, request);
    let attempted = Attempted::new(drive, settling);
    flight.start(Box::pin(Below::Calling { attempted }));
    starting.0 = None;
    (participant, None)
}

impl<S, B, R> Service<Request<B>> for SingleFlight<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Error: Into<BoxError> + Send,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes> + From<Bytes> + Unpin + Send + 'static,
    B::Error: Into<BoxError>,
    R: http_body::Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    type Response = Response<Body<R>>;
    type Error = BoxError;
    type Future = ResponseFuture<S, B>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let attempt = Attempt::at(&mut request, Place::SingleFlight);
        let call = attempt.call();
        // What has to be new is not what somebody else has asked for before.
        let is_old_enough = call.caching() != Caching::Refresh;
        if is_old_enough && may_share(call, request.method(), request.headers()) {
            let (parts, body) = request.into_parts();
            let body = match take_bytes(body) {
                Ok(body) => body,
                Err(error) => {
                    return ResponseFuture::alone(Attempted::rejected(&attempt, error.into()));
                }
            };
            let (method, uri, headers) = (&parts.method, &parts.uri, &parts.headers);
            let key = self.policy.sameness.of(call, method, uri, headers, &body);
            request = Request::from_parts(parts, B::from(body));
            if let Some(key) = key {
                // An urgent call does not wait for one that is not.
                let key = key.apart(call.lane() as u8);
                let (participant, again) =
                    take_part(&self.policy, &mut self.inner, key, attempt, request);
                return ResponseFuture::sharing(participant, again);
            }
        }
        let settling = Settling::new(attempt, ());
        ResponseFuture::alone(Attempted::new(Drive::start(&mut self.inner, request), settling))
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("sameness", &self.sameness)
            .field("most", &self.most)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SingleFlightLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SingleFlightLayer").field("policy", &self.policy).finish()
    }
}
