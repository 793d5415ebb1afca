//! The trial loop of the problem `cascade`: an image comes, the weak classifier sees it, the policy
//! decides, it is sent or kept. Written once for all backends.

mod camera;
mod eye;
mod live;
mod service;
mod sim;
mod trial;
mod way;

pub use sim::SimCamera;
pub use trial::{CascadeFog, CascadeRecorder, CascadeTrial};
