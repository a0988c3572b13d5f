//! The commands, each in a file of its own.

pub(crate) mod import;
pub(crate) mod context;
pub(crate) mod timeline;
pub(crate) mod journey;
pub(crate) mod measure;
pub(crate) mod find;
pub(crate) mod explain;
pub(crate) mod changes;
pub(crate) mod assertion;
pub(crate) mod policy;
pub(crate) mod privacy;
pub(crate) mod retain;
pub(crate) mod persons;
pub(crate) mod link;
pub(crate) mod model;
pub(crate) mod propose;
pub(crate) mod file;
pub(crate) mod damage;
pub(crate) mod compress;
pub(crate) mod demo;
pub(crate) mod generate;
