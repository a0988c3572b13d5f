//! Web and app: what was looked at.

use super::fields::data;

data! {
    /// `page.viewed`, `screen.viewed`.
    View {
        /// The address of the page, or the name of the screen.
        url: Option<String>,
        /// Its title.
        title: Option<String>,
        /// Where the visitor came from.
        referrer: Option<String>,
    }

    /// `app.event`: something done in an app or on a site.
    AppEvent {
        /// What was done.
        name: String,
    }
}
