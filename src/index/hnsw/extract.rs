//! Reads the numbers out of a graph that `instant-distance` built: its fields are private, and its
//! serde feature is the one door to them.

use serde::ser::{Impossible, Serialize, SerializeSeq, SerializeStruct, SerializeTuple, Serializer};

/// A struct's fields, each as the u32s in it.
#[derive(Debug, Default)]
pub(super) struct Fields(pub(super) Vec<Field>);

/// All u32s of a field in order, and the lengths of the sequences that they came in (an outer one
/// before its inner ones; arrays and tuples are not told apart).
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) lengths: Vec<usize>,
    pub(super) values: Vec<u32>,
}

/// The value holds something else than structs, sequences and u32s.
#[derive(Debug)]
pub(super) struct Unexpected(String);

impl Fields {
    /// The fields of a struct.
    pub(super) fn of(value: &impl Serialize) -> Result<Self, Unexpected> {
        let mut fields = Fields::default();
        value.serialize(&mut fields)?;
        Ok(fields)
    }

    /// Takes a field out.
    pub(super) fn take(&mut self, name: &'static str) -> Option<Field> {
        self.0.iter().position(|field| field.name == name).map(|at| self.0.swap_remove(at))
    }

    fn last(&mut self) -> Result<&mut Field, Unexpected> {
        self.0.last_mut().ok_or_else(|| Unexpected("a number outside of any field".to_owned()))
    }
}

impl std::fmt::Display for Unexpected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unexpected {}

impl serde::ser::Error for Unexpected {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Unexpected(message.to_string())
    }
}

fn unexpected<T>(what: &str) -> Result<T, Unexpected> {
    Err(Unexpected(format!("the graph holds a {what}")))
}

macro_rules! refuse {
    ($($method:ident($($type:ty),*);)+) => {
        $(fn $method(self, $(_: $type),*) -> Result<(), Unexpected> { unexpected(stringify!($method)) })+
    };
}

impl Serializer for &mut Fields {
    type Ok = ();
    type Error = Unexpected;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeStruct = Self;
    type SerializeTupleStruct = Impossible<(), Unexpected>;
    type SerializeTupleVariant = Impossible<(), Unexpected>;
    type SerializeMap = Impossible<(), Unexpected>;
    type SerializeStructVariant = Impossible<(), Unexpected>;

    fn serialize_u32(self, value: u32) -> Result<(), Unexpected> {
        self.last()?.values.push(value);
        Ok(())
    }

    /// A size among the graph's parameters, which nobody asks for.
    fn serialize_u64(self, _: u64) -> Result<(), Unexpected> {
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Unexpected> {
        value.serialize(self)
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Self, Unexpected> {
        match length {
            Some(length) => self.last()?.lengths.push(length),
            None => return unexpected("sequence of unknown length"),
        }
        Ok(self)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self, Unexpected> {
        Ok(self)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Unexpected> {
        Ok(self)
    }

    refuse! {
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_f32(f32);
        serialize_f64(f64);
        serialize_char(char);
        serialize_str(&str);
        serialize_bytes(&[u8]);
        serialize_none();
        serialize_unit();
        serialize_unit_struct(&'static str);
        serialize_unit_variant(&'static str, u32, &'static str);
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<(), Unexpected> {
        unexpected("option")
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Unexpected> {
        unexpected("variant")
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeTupleStruct, Unexpected> {
        unexpected("tuple struct")
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Unexpected> {
        unexpected("tuple variant")
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Unexpected> {
        unexpected("map")
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Unexpected> {
        unexpected("struct variant")
    }
}

impl SerializeSeq for &mut Fields {
    type Ok = ();
    type Error = Unexpected;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unexpected> {
        value.serialize(&mut **self)
    }

    fn end(self) -> Result<(), Unexpected> {
        Ok(())
    }
}

impl SerializeTuple for &mut Fields {
    type Ok = ();
    type Error = Unexpected;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unexpected> {
        value.serialize(&mut **self)
    }

    fn end(self) -> Result<(), Unexpected> {
        Ok(())
    }
}

impl SerializeStruct for &mut Fields {
    type Ok = ();
    type Error = Unexpected;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Unexpected> {
        self.0.push(Field { name, lengths: Vec::new(), values: Vec::new() });
        value.serialize(&mut **self)
    }

    fn end(self) -> Result<(), Unexpected> {
        Ok(())
    }
}
