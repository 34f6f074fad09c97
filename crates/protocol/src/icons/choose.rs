//! Which of several icons fits.

use crate::icons::{Icon, IconTheme};

impl Icon {
    /// The icon that fits best where it is shown `size` pixels wide, on this background; `None` where there is no icon.
    ///
    /// One for the background, or for any, comes before one for another. Then the smallest that needs no enlarging, then
    /// the largest. A missing `sizes` and `any` fit all sizes, and come after an exact size. Of equals the first wins.
    ///
    /// ```
    /// use bowline_protocol::{Icon, IconTheme};
    ///
    /// let icons = [
    ///     Icon::new("https://s.example/16.png").with_sizes(["16x16".to_owned()]),
    ///     Icon::new("https://s.example/64.png").with_sizes(["64x64".to_owned()]),
    /// ];
    /// assert_eq!(Icon::best(&icons, 32, &IconTheme::Dark).unwrap().src, "https://s.example/64.png");
    /// ```
    pub fn best<'a>(icons: &'a [Self], size: u32, theme: &IconTheme) -> Option<&'a Self> {
        icons.iter().min_by_key(|icon| (icon.theme.as_ref().is_some_and(|own| own != theme), icon.misfit(size)))
    }

    /// How far the icon's sizes are from the one that is wanted: better ones are less.
    fn misfit(&self, size: u32) -> (u8, u32) {
        // Missing sizes fit all, and so do sizes that cannot be read.
        let any = (1, 0);
        let of = |text: &String| match side(text) {
            Some(side) if side == size => (0, 0),
            Some(side) if side > size => (2, side - size),
            Some(side) => (3, size - side),
            None => any,
        };
        self.sizes.iter().flatten().map(of).min().unwrap_or(any)
    }
}

/// The smaller side of a size such as `48x48`.
fn side(text: &str) -> Option<u32> {
    let (width, height) = text.split_once(['x', 'X'])?;
    Some(width.parse::<u32>().ok()?.min(height.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn icon(src: &str, sizes: &[&str], theme: Option<IconTheme>) -> Icon {
        let mut icon = Icon::new(src);
        icon.sizes = (!sizes.is_empty()).then(|| sizes.iter().map(|size| (*size).to_owned()).collect());
        icon.theme = theme;
        icon
    }

    fn best(icons: &[Icon], size: u32) -> &str {
        Icon::best(icons, size, &IconTheme::Dark).map_or("", |icon| &icon.src)
    }

    #[test]
    fn ic_06_missing_sizes_and_themes_fit_all() {
        assert_eq!(best(&[], 32), "");
        let untold = icon("untold", &[], None);
        for others in [icon("small", &["16x16"], None), icon("light", &["32x32"], Some(IconTheme::Light))] {
            assert_eq!(best(&[others, untold.clone()], 32), "untold");
        }
        assert_eq!(best(&[untold, icon("exact", &["16x16", "32x32"], Some(IconTheme::Dark))], 32), "exact");
    }

    #[test]
    fn ic_06_a_larger_one_comes_before_a_smaller_one_and_the_nearest_of_these_first() {
        let icons = [
            icon("16", &["16x16"], None),
            icon("96", &["96x96"], None),
            icon("48", &["48x64"], None),
            icon("light", &["40x40"], Some(IconTheme::Light)),
        ];
        for (size, wanted) in [(8, "16"), (16, "16"), (32, "48"), (50, "96"), (96, "96"), (512, "96")] {
            assert_eq!(best(&icons, size), wanted, "{size}");
        }
        assert_eq!(
            best(&[icon("odd", &["large"], None), icon("any", &["any"], None)], 32),
            "odd",
            "of equals the first"
        );
        assert_eq!(best(&[icon("other", &[], Some(IconTheme::Light))], 32), "other", "better than none");
    }
}
