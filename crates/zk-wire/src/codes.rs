//! The enums of numbers that the protocol knows by a name.

/// Defines an enum of numbers with names, which takes numbers without a name, too.
macro_rules! codes {
    (
        $(#[$outer:meta])*
        $type:ident, $unnamed:literal
        $($(#[$doc:meta])* $variant:ident = $code:literal $name:literal,)*
    ) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $type {
            $($(#[$doc])* $variant,)*
            /// A number without a name here. Make it by `From<i32>`, which knows the numbers that have one.
            Other(i32),
        }

        impl $type {
            /// Returns the number on the wire.
            pub const fn code(self) -> i32 {
                match self {
                    $(Self::$variant => $code,)*
                    Self::Other(code) => code,
                }
            }
        }

        impl From<i32> for $type {
            fn from(code: i32) -> Self {
                match code {
                    $($code => Self::$variant,)*
                    other => Self::Other(other),
                }
            }
        }

        /// Writes ZooKeeper's own name, or the number where there is none.
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self {
                    $(Self::$variant => f.write_str($name),)*
                    Self::Other(code) => write!(f, concat!($unnamed, " {}"), code),
                }
            }
        }
    };
}

pub(crate) use codes;
