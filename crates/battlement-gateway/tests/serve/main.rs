//! The gateway over real sockets, in front of a provider that misbehaves on purpose.

mod checking;
mod clients;
mod errors;
mod hostile;
mod leaving;
mod operating;
mod passing;
mod rig;
