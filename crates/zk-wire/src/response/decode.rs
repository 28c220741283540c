use super::{MultiResult, Response};
use crate::multi::MultiHeader;
use crate::{Acl, Malformed, OpCode, Reader, Stat};

type Result<T> = std::result::Result<T, Malformed>;

impl Response {
    /// Reads the body of a reply without an error, or of any reply to a multi; it depends on what was asked.
    ///
    /// Lists that are null read as empty ones. More bytes than expected do no harm.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn read(op_code: OpCode, reader: &mut Reader<'_>) -> Result<Self> {
        Ok(match op_code {
            OpCode::Create => Self::Path(reader.string()?),
            OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => {
                Self::PathStat(reader.string()?, Stat::read(reader)?)
            }
            OpCode::Exists | OpCode::SetData | OpCode::SetAcl => Self::Stat(Stat::read(reader)?),
            OpCode::GetData => Self::Data(data(reader)?, Stat::read(reader)?),
            OpCode::GetAcl => Self::Acl(reader.vector(Acl::read)?.unwrap_or_default(), Stat::read(reader)?),
            OpCode::GetChildren | OpCode::GetEphemerals => Self::Strings(strings(reader)?),
            OpCode::GetChildren2 => Self::Children(strings(reader)?, Stat::read(reader)?),
            OpCode::Sync => Self::Synced(reader.string()?),
            OpCode::GetAllChildrenNumber | OpCode::AddWatch => Self::Number(reader.int()?),
            OpCode::WhoAmI => {
                let users = reader.vector(|reader| Ok((reader.string()?, reader.string()?)))?;
                Self::Users(users.unwrap_or_default())
            }
            OpCode::Multi => Self::Multi(results(reader)?),
            OpCode::MultiRead => Self::MultiRead(results(reader)?),
            _ => Self::Empty,
        })
    }
}

fn results(reader: &mut Reader<'_>) -> Result<Vec<MultiResult>> {
    let mut results = Vec::new();
    loop {
        let header = MultiHeader::read(reader)?;
        if header.done {
            return Ok(results);
        }
        results.push(match header.op_code {
            OpCode::Create => MultiResult::Create(reader.string()?),
            OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => {
                MultiResult::Create2(reader.string()?, Stat::read(reader)?)
            }
            OpCode::Delete => MultiResult::Delete,
            OpCode::SetData => MultiResult::SetData(Stat::read(reader)?),
            OpCode::Check => MultiResult::Check,
            OpCode::GetData => MultiResult::Data(data(reader)?, Stat::read(reader)?),
            OpCode::GetChildren => MultiResult::Children(strings(reader)?),
            OpCode::Error => MultiResult::Error(reader.int()?.into()),
            _ => return Err(Malformed),
        });
    }
}

fn data(reader: &mut Reader<'_>) -> Result<Option<Vec<u8>>> {
    Ok(reader.buffer()?.map(<[u8]>::to_vec))
}

fn strings(reader: &mut Reader<'_>) -> Result<Vec<String>> {
    Ok(reader.vector(Reader::string)?.unwrap_or_default())
}
